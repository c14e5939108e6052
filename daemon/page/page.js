// The status page: asks berthd for the node's status, now and then and whenever an event comes, and shows it.

import { History } from "./charts.js";
import { become, make } from "./tree.js";
import { body, head } from "./view.js";

const MOST_EVENTS = 40;
const CALM = 5000, BUSY = 1000, BACK = [500, 1000, 2000, 5000]; // milliseconds between two looks, and before another try

const history = new History();
const events = [];
let status = null; // as berthd told it last
let ahead = 0;     // of berthd's clock, milliseconds
let source = null;
let tries = 0, reopenings = 0;
let timer = 0, due = 0, asking = false, again = false;

function shown(id) {
  return document.getElementById(id);
}

function tell(text, isBad) {
  const place = shown("connection");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("bad", isBad);
}

/** For who cannot see it: what became of an app. */
function announce(text) {
  const news = shown("news");
  news.append(make("span", null, `${text}. `));
  while (news.childNodes.length > 5) news.firstChild.remove();
}

function announceChanges(before, now) {
  const known = new Map((before?.apps ?? []).map((app) => [app.app, app.health]));
  if (!before) return;
  for (const app of now.apps) if (known.get(app.app) !== app.health && app.health !== "deploying") announce(`${app.app} is ${app.health}`);
}

function show() {
  if (!status) return;
  const now = Date.now() + ahead;
  become(shown("head"), head(status, now));
  become(shown("main"), body(status, events, history, now));
  document.title = `${status.node} – berth`;
}

/** What is planned sooner already stays so. */
function plan(wait) {
  const at = performance.now() + wait;
  if (timer && due <= at) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(look, wait);
}

async function ask() {
  const answer = await fetch("page/status", { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error(`berthd answers ${answer.status}`);
  const found = await answer.json();
  ahead = Date.parse(found.now) - Date.now();
  return found;
}

/** One look at a time; what is asked for meanwhile is one more after it. */
async function look() {
  timer = 0;
  if (asking) return void (again = true);
  asking = true;
  again = false;
  let wait = CALM;
  try {
    const found = await ask();
    announceChanges(status, found);
    status = found;
    tries = 0;
    for (const app of found.apps) history.add(app, Date.now());
    history.keep(new Set(found.apps.map((app) => app.app)));
    show();
    tell(source?.readyState === EventSource.OPEN ? "Live" : "Live, without events for the moment", false);
    if (!source) follow();
    if (found.apps.some((app) => app.deployment)) wait = BUSY;
  } catch {
    tell("berthd does not answer: what is shown is from before. Trying again …", true);
    wait = BACK[Math.min(tries, BACK.length - 1)];
    tries += 1;
  }
  asking = false;
  if (!document.hidden || tries > 0) plan(again ? 100 : wait);
}

/** `known`: the newest event's number when they were first asked for. What is older was there before, and is no news. */
function take(event, known) {
  if (events.length > 0 && event.number <= events[events.length - 1].number) return;
  events.push(event);
  if (events.length > MOST_EVENTS) events.shift();
  if (event.number > known && event.kind === "deployment.state") announce(`${event.app} ${event.release}: ${event.state}`);
  plan(100);
}

/** Follows events from the last one that is known on. A browser that loses them comes back by itself, unless it was refused. */
function follow() {
  const last = events.length > 0 ? events[events.length - 1].number : Math.max(0, status.last_event - MOST_EVENTS);
  const known = Math.max(last, status.last_event);
  source = new EventSource(`page/events?from=${last + 1}`);
  source.onopen = () => {
    reopenings = 0;
    plan(100);
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(follow, 2 * BACK[Math.min(reopenings, BACK.length - 1)]);
      reopenings += 1;
    }
    plan(100);
  };
  source.onmessage = (message) => take(JSON.parse(message.data), known);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) plan(0);
});
look();
