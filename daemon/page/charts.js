// Small charts of what this page saw since it was opened.

import { make } from "./tree.js";

const WIDTH = 240, HEIGHT = 48;
const MOST = 240; // samples of an app

/** What was seen of each app: a sample for each look at the node. */
export class History {
  #apps = new Map();

  /** Takes what the counters of an app rose by since the last look. One that fell began anew, with its instance. */
  add(app, at) {
    const now = new Map();
    for (const instance of app.instances) {
      const probes = Object.values(instance.probes);
      now.set(`${instance.process}.${instance.number}@${instance.release} ${instance.started_at}`, {
        asked: probes.reduce((sum, probe) => sum + probe.asked, 0),
        seconds: probes.reduce((sum, probe) => sum + probe.seconds, 0),
      });
    }
    const restarts = new Map(app.instances.map((one) => [`${one.process}.${one.number}@${one.release}`, one.restarts]));
    const known = this.#apps.get(app.app) ?? { samples: [], probes: new Map(), restarts };
    let asked = 0, seconds = 0, more = 0;
    for (const [id, counts] of now) {
      const before = known.probes.get(id);
      if (!before || counts.asked < before.asked) continue;
      asked += counts.asked - before.asked;
      seconds += counts.seconds - before.seconds;
    }
    for (const [id, count] of restarts) {
      if (known.restarts.has(id)) more += Math.max(0, count - known.restarts.get(id));
    }
    known.samples.push({ at, restarts: more, probe: asked > 0 ? (seconds / asked) * 1000 : null });
    if (known.samples.length > MOST) known.samples.shift();
    this.#apps.set(app.app, { samples: known.samples, probes: now, restarts });
  }

  /** Forgets apps that are not there any more. */
  keep(names) {
    for (const name of [...this.#apps.keys()]) if (!names.has(name)) this.#apps.delete(name);
  }

  of(name) {
    return this.#apps.get(name)?.samples ?? [];
  }
}

function xOf(samples, index) {
  return samples.length < 2 ? WIDTH : (index / (samples.length - 1)) * WIDTH;
}

function figure(label, picture, text) {
  return make("figure", { class: "chart" }, make("figcaption", null, label, " ", make("b", null, text)), picture);
}

function picture(text, ...parts) {
  return make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": text, preserveAspectRatio: "none" }, ...parts,
    make("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
}

function milliseconds(value) {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

/** How long probes waited for their answers, on average of each look. */
export function probeChart(samples) {
  const seen = samples.map((one) => one.probe);
  const values = seen.filter((one) => one !== null);
  if (values.length === 0) return figure("Probes", picture("No probe was seen since this page was opened"), "none seen yet");
  const most = Math.max(...values), last = values[values.length - 1];
  const top = Math.max(most, 1);
  let path = "", line = false;
  seen.forEach((value, index) => {
    if (value === null) return void (line = false);
    path += `${line ? "L" : "M"}${xOf(seen, index).toFixed(1)} ${(HEIGHT - 2 - (value / top) * (HEIGHT - 6)).toFixed(1)}`;
    line = true;
  });
  const text = `Probes take ${milliseconds(last)} now, ${milliseconds(most)} at most since this page was opened`;
  return figure("Probes", picture(text, make("path", { class: "curve", d: path })), `${milliseconds(last)}, at most ${milliseconds(most)}`);
}

/** How many instances came back, look by look. */
export function restartChart(samples) {
  const sum = samples.reduce((all, one) => all + one.restarts, 0);
  const top = Math.max(1, ...samples.map((one) => one.restarts));
  const bars = samples.flatMap((one, index) => {
    if (one.restarts === 0) return [];
    const height = (one.restarts / top) * (HEIGHT - 6);
    const x = Math.min(xOf(samples, index), WIDTH - 3);
    return [make("rect", { class: "bar", x: x.toFixed(1), y: (HEIGHT - height).toFixed(1), width: 3, height: height.toFixed(1) })];
  });
  const text = `${sum} ${sum === 1 ? "restart" : "restarts"} since this page was opened`;
  return figure("Restarts", picture(text, bars), `${sum} since this page was opened`);
}
