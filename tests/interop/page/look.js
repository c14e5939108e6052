// A headless Chromium at the status page. Reads a JSON command a line and answers each with a line, so that a test decides what happens meanwhile.
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const puppeteer = require("puppeteer-core");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [360, 1280], THEMES = ["light", "dark"];

let browser = null, page = null;
const complaints = []; // what the page's console, and its policy, had to say
const dialogs = [];

async function open(url) {
  page = await browser.newPage();
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", async (dialog) => {
    dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  const answer = await page.goto(url, { waitUntil: "load" });
  await page.evaluate(() => (window.loadedOnce = true));
  return { status: answer.status(), headers: answer.headers() };
}

async function wait({ text, selector, seconds }) {
  await page.waitForFunction((wanted, where) => (document.querySelector(where)?.textContent ?? "").includes(wanted),
    { timeout: (seconds ?? 20) * 1000, polling: 50 }, text, selector ?? "body");
}

/** What axe-core finds, and what is wider than the screen, for each width and theme. */
async function judge() {
  const found = [];
  for (const width of WIDTHS) {
    for (const theme of THEMES) {
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }, { name: "prefers-reduced-motion", value: "reduce" }]);
      // Puppeteer evaluates in the page by the debugger, which the page's policy does not hold up.
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const one of violations) found.push(`${width} ${theme}: ${one.id}: ${one.nodes.map((node) => node.html).join(" ").slice(0, 300)}`);
      if (passes.length < 10) found.push(`${width} ${theme}: axe looked at nothing`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) found.push(`${width} ${theme}: ${wide} px wider than the screen`);
    }
  }
  return found;
}

async function picture({ path, width, theme, height }) {
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path, type: "webp", quality: 80, captureBeyondViewport: false });
}

/** Where the Tab key leads, and whether it is seen. */
async function keys() {
  await page.evaluate(() => {
    document.querySelector("a").focus();
  });
  await page.keyboard.press("Tab");
  await page.keyboard.down("Shift");
  await page.keyboard.press("Tab");
  await page.keyboard.up("Shift");
  const found = [];
  for (let i = 0; i < 40; ++i) {
    if (i > 0) await page.keyboard.press("Tab");
    const one = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return null;
      const style = getComputedStyle(at);
      return { text: at.textContent.slice(0, 60), tag: at.tagName, outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 };
    });
    if (!one || (found.length > 0 && found[0].text === one.text)) break;
    found.push(one);
  }
  return found;
}

/** From now on berthd's answers are these. */
async function fake({ status, events }) {
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    const path = new URL(request.url()).pathname;
    if (path === "/page/status") return request.respond({ contentType: "application/json", body: JSON.stringify(status) });
    if (path === "/page/events") return request.respond({ contentType: "text/event-stream", body: events.map((one) => `id: ${one.number}\ndata: ${JSON.stringify(one)}\n\n`).join("") });
    return request.continue();
  });
  await page.reload({ waitUntil: "load" });
}

const commands = {
  open: ({ url }) => open(url),
  wait, judge, picture, keys, fake,
  text: ({ selector }) => page.evaluate((where) => document.querySelector(where)?.textContent ?? null, selector),
  evaluate: ({ script }) => page.evaluate(script),
  press: ({ key }) => page.keyboard.press(key),
  complaints: () => ({ complaints: complaints.splice(0), dialogs: dialogs.splice(0) }),
};

async function main() {
  browser = await puppeteer.launch({ executablePath: process.argv[2], headless: true, args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-device-scale-factor=1", "--no-proxy-server"] });
  process.stdout.write(`${JSON.stringify({ result: await browser.version() })}\n`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await commands[command.do](command)) ?? null };
    } catch (error) {
      answer = { error: String(error.stack ?? error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
