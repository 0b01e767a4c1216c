// The tutorial's own example: an answer at once, and another when the work is done.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { io } from "./lib/client.js";
import { launch, open } from "./lib/browser.js";
import { Server } from "./lib/server.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

// The first response is there while the work goes on: something else is asked and answered in between. Had
// it been held back until the end, both responses would come together, each time. On a machine that stands still
// for the five seconds of the work they may do so once.
const LIVE = [["200", "start to process..."], "meanwhile", ["200", "processed"]];

async function live(attempt) {
  let heard;
  for (let i = 0; i < 10; i++) {
    heard = await attempt();
    if (isDeepStrictEqual(heard, LIVE)) return;
  }
  assert.deepEqual(heard, LIVE);
}

/** Asks for the task over one socket and, when its first response is there, for an echo over another. Runs in a page, too. */
async function responses(io, url, transport) {
  const [tasks, other] = ["/testnamespace", "/"].map((path) => io(url + path, { transports: [transport], forceNew: true }));
  await Promise.all([tasks, other].map((socket) => new Promise((resolve, reject) => socket.on("connect", resolve).on("connect_error", reject))));
  const heard = [];
  await new Promise((resolve) => {
    const hear = (what) => { if (heard.push(what) === 3) resolve(); };
    tasks.on("response", ({ code, msg }) => {
      hear([code, msg]);
      if (heard.length === 1) other.emit("echo", "meanwhile", hear);
    });
    tasks.emit("request_for_response", { param: "value" });
  });
  tasks.disconnect();
  other.disconnect();
  return heard;
}

for (const transport of ["websocket", "polling"]) {
  test(`the first response is live over ${transport}, in Node`, () => live(() => responses(io, server.url, transport)));

  test(`the first response is live over ${transport}, in Chromium`, async () => {
    const page = await open(browser, `${server.url}/`);
    await live(() => page.evaluate(`(${responses})(window.io, location.origin, ${JSON.stringify(transport)})`));
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}
