// What the page shows of what berthd tells.

import { probeChart, restartChart } from "./charts.js";
import { make } from "./tree.js";

const TONES = { healthy: "good", active: "good", degraded: "bad", down: "bad", failed: "bad", reverted: "bad", deploying: "busy", stopped: "quiet", cancelled: "quiet" };
const STEPS = {
  queued: "waits for its turn", fetching: "is fetched and verified", unpacking: "is unpacked", sealed: "is on the disk", preparing: "is prepared", starting: "starts",
  canary: "serves a part", switching: "takes the route", baking: "bakes", reverting: "is taken back",
};

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count, unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** A moment, as how long ago it was. */
function ago(moment, now) {
  const at = Date.parse(moment);
  if (Number.isNaN(at)) return "–";
  return make("time", { datetime: moment, title: moment }, `${span(now - at)} ago`);
}

function badge(text, tone) {
  return make("span", { class: `badge ${tone ?? TONES[text] ?? "busy"}` }, text);
}

function many(count, one, more) {
  return `${count} ${count === 1 ? one : more}`;
}

const RECENT = 10 * 60 * 1000; // milliseconds since an instance ended by itself, while that is news

/** What becomes of what the app follows. */
function followTroubles(follow, app, say) {
  const quiet = Boolean(app && (app.held || app.stopped));
  const what = follow.channel ? `the channel ${follow.channel}` : "one release";
  const why = app ? `berth status ${follow.app} says why` : "berth status says why";
  if (follow.failing_since) say(`${app ? "" : "is not on this node yet, and "}follows ${what}, which cannot be asked: ${why}`);
  else if (app && follow.wanted && follow.wanted !== app.release && follow.stays && !app.deployment) say(`follows ${what}, which wants ${follow.wanted}, and stays where it is: ${why}`, quiet);
}

function appTroubles(app, follow, now) {
  const troubles = [];
  const say = (what, quiet) => troubles.push({ app: app.app, what, quiet });
  const ill = app.instances.filter((one) => one.crash_looping);
  const unready = app.instances.filter((one) => one.up && !one.ready && one.release === app.release && !one.crash_looping);
  if (app.health === "down") say("is down: no instance is ready");
  else if (app.health === "degraded") say("is degraded");
  if (ill.length > 0) say(`${many(ill.length, "instance ends", "instances end")} again and again: ${ill.map((one) => `${one.process}.${one.number}`).join(", ")}`);
  if (unready.length > 0 && app.health !== "deploying") say(`not ready: ${unready.map((one) => `${one.process}.${one.number}`).join(", ")}`);
  if (app.troubled) say("berthd could not do something for it: berth status says what");
  for (const one of app.releases) if (one.drifted) say(`${one.release} on the disk is not as it was signed`);
  const last = app.last_deployment;
  if (last && ["failed", "reverted", "interrupted"].includes(last.state) && last.release !== app.release && last.exit !== 3) // 3: there is no such release, as of one that was mistyped
    say(`the last ${last.kind === "revert" ? "revert" : "deployment"}, of ${last.release}, ${last.state === "failed" ? "failed" : `was ${last.state}`}: berth why ${app.app} says why`);
  const back = app.instances.filter((one) => one.restarts > 0 && one.release === app.release && !one.crash_looping && now - Date.parse(one.ended_at) < RECENT);
  if (back.length > 0) say(`${back.length === 1 ? "an instance ended and was" : "instances ended and were"} started again: ${back.map((one) => `${one.process}.${one.number} (${many(one.restarts, "restart", "restarts")})`).join(", ")}`);
  for (const job of app.jobs) if (job.state === "failed") say(`the job ${job.process} failed: berth why ${app.app} says why`);
  if (app.release && app.rejected.includes(app.release)) say(`${app.release}, which is active, is rejected here`);
  if (follow) followTroubles(follow, app, say);
  if (app.held) say("is held: it is left alone until somebody resumes it", true);
  if (app.stopped) say("is stopped", true);
  const still = app.instances.filter((one) => one.stopped && one.release === app.release);
  if (still.length > 0) say(`stopped by hand: ${still.map((one) => `${one.process}.${one.number}`).join(", ")}`, true);
  return troubles;
}

/** What is wrong, the worst first. */
export function troubles(status, now) {
  const found = [];
  const say = (what, quiet) => found.push({ app: "", what, quiet });
  if (!status.ready) say("berthd is not ready yet: it is taking over or starting what should run");
  for (const disk of [status.disk, status.disk.logs])
    if (disk && disk.free_bytes < disk.reserve_bytes) say(`${disk === status.disk ? "the disk" : "the disk of the logs"} is as good as full: ${bytes(disk.free_bytes)} free, less than the reserve of ${bytes(disk.reserve_bytes)}`);
  if (status.config_refused) say("the configuration was refused at the last reload: the one before counts");
  if (status.repository.failing) say("the repository cannot be read");
  for (const role of status.repository.roles) if (Date.parse(role.expires) < now) say(`the repository's metadata expired: ${role.role}`);
  for (const sink of status.sinks) {
    if (sink.failing_since) say(`logs do not get to the sink ${sink.sink}`);
    if (sink.lost > 0) say(`${many(sink.lost, "line", "lines")} of logs never got to the sink ${sink.sink}`);
  }
  for (const webhook of status.webhooks) {
    if (webhook.failing_since) say(`events do not get to the webhook ${webhook.webhook}`);
    if (webhook.dropped > 0) say(`${many(webhook.dropped, "event", "events")} never got to the webhook ${webhook.webhook}`);
  }
  const follows = new Map(status.follows.map((one) => [one.app, one]));
  for (const app of status.apps) found.push(...appTroubles(app, follows.get(app.app), now));
  const here = new Set(status.apps.map((app) => app.app));
  for (const follow of status.follows) if (!here.has(follow.app)) followTroubles(follow, null, (what) => say(`${follow.app} ${what}`));
  if (status.drained) say("the node is drained: nothing runs until somebody resumes it", true);
  return found.sort((one, other) => Number(one.quiet ?? false) - Number(other.quiet ?? false));
}

function anchor(name) {
  return `app-${name}`;
}

function wrongSection(found) {
  const list = found.map((one) => make("li", { class: one.quiet ? "quiet" : "bad" },
    one.app ? make("a", { href: `#${encodeURIComponent(anchor(one.app))}` }, one.app) : null, one.app ? " " : null, one.what));
  return make("section", { id: "wrong", "aria-labelledby": "wrong-title" }, make("h2", { id: "wrong-title" }, "What is wrong"),
    list.length > 0 ? make("ul", { class: "troubles" }, list) : make("p", { class: "fine" }, "Nothing."));
}

function bar(label, done, total, text) {
  return make("div", { class: "bar-line" }, make("progress", { value: Math.min(done, total), max: total, "aria-label": label }), make("span", null, text));
}

function deploymentPart(app, now) {
  const running = app.deployment;
  if (!running) return null;
  const { bytes_done, bytes_total, instances_ready, instances_wanted } = running.progress;
  const until = Date.parse(running.bake_until);
  const name = `${running.kind === "revert" ? "Revert to" : "Deployment of"} ${running.release}`;
  return make("div", { class: "deployment", id: `deployment-${running.id}` },
    make("h4", null, name, " ", badge(running.state, "busy")),
    make("p", null, running.from ? `from ${running.from}, ` : "", STEPS[running.state] ?? running.state, ", asked for ", ago(running.created_at, now),
      running.state === "baking" && until > now ? `, ${span(until - now)} to go` : null),
    bytes_total > 0 ? bar(`${name}: bytes fetched`, bytes_done, bytes_total, `${bytes(bytes_done)} of ${bytes(bytes_total)}`) : null,
    instances_wanted > 0 ? bar(`${name}: instances ready`, instances_ready, instances_wanted, `${instances_ready} of ${many(instances_wanted, "instance", "instances")} ready`) : null,
    make("ol", { class: "steps", "aria-label": "Steps so far" }, running.steps.map((step) => make("li", null, step.state))));
}

function instanceRow(one, now) {
  const state = one.crash_looping ? badge("keeps ending", "bad") : one.stopped ? badge("stopped", "quiet") : !one.up ? badge("down", "bad") : one.ready ? badge("ready", "good") : badge("not ready", "busy");
  return make("li", null, make("b", null, `${one.process}.${one.number}`), make("span", { class: "release" }, one.release), state,
    make("span", null, one.serving ? "serving" : "not serving"), make("span", null, many(one.restarts, "restart", "restarts")),
    make("span", null, "since ", ago(one.started_at, now)));
}

function releaseRow(app, release, now) {
  const marks = [release.release === app.release ? "current" : null, release.release === app.previous ? "previous" : null, release.pinned ? "pinned" : null,
    app.rejected.includes(release.release) ? "rejected" : null].filter(Boolean);
  return make("li", null, make("b", { class: "release" }, release.release), " ", marks.map((mark) => [badge(mark, mark === "current" ? "good" : mark === "rejected" ? "bad" : "quiet"), " "]),
    bytes(release.bytes), ", here since ", ago(release.sealed_at, now));
}

function appPart(app, samples, now) {
  const title = `title-${app.app}`;
  const order = (one) => (one.release === app.release ? 2 : one.release === app.previous ? 1 : 0);
  const releases = [...app.releases].sort((one, other) => order(other) - order(one) || Date.parse(other.sealed_at) - Date.parse(one.sealed_at));
  return make("article", { id: anchor(app.app), class: "app", "aria-labelledby": title, tabindex: "-1" },
    make("h3", { id: title }, app.app, " ", badge(app.health), app.held ? [" ", badge("held", "quiet")] : null),
    make("p", null, app.release ? [make("b", { class: "release" }, app.release), " since ", ago(app.since, now)] : "no release is active",
      app.previous ? [", before it ", make("b", { class: "release" }, app.previous)] : null, app.strategy ? `, ${app.strategy}` : null),
    deploymentPart(app, now),
    make("h4", null, "Instances"),
    app.instances.length > 0 ? make("ul", { class: "rows" }, app.instances.map((one) => instanceRow(one, now))) : make("p", null, "none"),
    make("div", { class: "charts" }, probeChart(samples), restartChart(samples)),
    make("details", { id: `releases-${app.app}` }, make("summary", null, many(releases.length, "release", "releases"), " on this node"),
      make("ul", { class: "rows" }, releases.map((one) => releaseRow(app, one, now)))));
}

function eventRow(event, now) {
  const what = [event.app ? [make("b", null, event.app), event.release ? `@${event.release}` : null, " "] : event.release ? `${event.release} ` : null, event.kind, event.instance ? ` ${event.instance}` : null, event.state ? [" ", badge(event.state)] : null];
  return make("li", { id: `event-${event.number}` }, make("span", { class: "number" }, `${event.number}`), make("span", { class: "what" }, what), make("span", null, ago(event.at, now)));
}

function fact(name, value) {
  return make("div", null, make("dt", null, name), make("dd", null, value));
}

/** The whole of `header`. */
export function head(status, now) {
  return make("header", null, make("h1", null, status.node), make("dl", { class: "facts" },
    fact("Environment", status.environment), fact("berthd", status.version), fact("State", status.drained ? badge("drained", "quiet") : status.ready ? badge("ready", "good") : badge("not ready", "busy")),
    fact("Started", ago(status.since, now)), fact("Disk", `${bytes(status.disk.free_bytes)} free`), status.disk.logs ? fact("Disk of the logs", `${bytes(status.disk.logs.free_bytes)} free`) : null,
    fact("Limits", status.limits_enforced ? "enforced" : "not enforced")));
}

/** The whole of `main`: what is wrong, apps, and the newest events, of which `events` has the newest last. */
export function body(status, events, history, now) {
  const rank = { down: 0, degraded: 1, deploying: 2, healthy: 3, stopped: 4 };
  const apps = [...status.apps].sort((one, other) => (rank[one.health] ?? 3) - (rank[other.health] ?? 3) || (one.app < other.app ? -1 : 1));
  return make("main", null, wrongSection(troubles(status, now)),
    make("section", { id: "apps", "aria-labelledby": "apps-title" }, make("h2", { id: "apps-title" }, "Apps"),
      apps.length > 0 ? make("div", { class: "apps" }, apps.map((app) => appPart(app, history.of(app.app), now))) : make("p", null, "There is none yet: berth deploy APP@RELEASE brings one.")),
    make("section", { id: "events", "aria-labelledby": "events-title" }, make("h2", { id: "events-title" }, "Last events"),
      make("ol", { class: "rows events", role: "list" }, [...events].reverse().map((one) => eventRow(one, now)))));
}
