// The stock bundles of every generation in headless Chromium, and JSONP, which only a page can do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "../lib/browser.js";
import { Server } from "./lib.js";
import { generations, transports } from "./scenario.js";

const jsonp = { transports: ["polling"], forceJSONP: true, jsonp: true };
const jsonpUpgrade = { ...jsonp, transports: ["polling", "websocket"] };

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function withPage(number, run) {
  const page = await open(browser, `${server.url}/page.html?client=${number}`);
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  try {
    await page.waitForFunction(() => window.scenario && window.io);
    await run(page, requests);
    assert.deepEqual(page.problems, []);
  } finally {
    await page.context().close();
  }
}

for (const [number, { old, early }] of Object.entries(generations)) {
  const all = old && !early ? { ...transports, jsonp, "jsonp upgraded": jsonpUpgrade } : transports;
  for (const [name, options] of Object.entries(all)) {
    test(`the bundle of ${number}.x over ${name}`, () =>
      withPage(number, async (page, requests) => {
        const result = await page.evaluate(
          (options) => scenario.scenario(io, location.origin, options, generation),
          options,
        );
        assert.equal(result, "done");
        const scripts = requests.filter((url) => /[?&]j=\d/.test(url));
        assert.equal(scripts.length > 0, Boolean(options.jsonp), `${scripts.length} requests for scripts`);
      }));
  }

  test(`the bundle of ${number}.x comes back after a restart`, () =>
    withPage(number, async (page) => {
      await page.evaluate(async (options) => {
        window.socket = await scenario.connected(scenario.dial(io, location.origin, options, generation));
        await scenario.settled(socket, options);
      }, transports.upgrade);
      await server.restart();
      await page.evaluate(() => scenario.comesBack(socket));
    }));
}
