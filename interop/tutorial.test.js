// The tutorial's own example: an answer at once, and another when the work is done.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "socket.io-client";
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
// it been held back until the end, both responses would come together.
const LIVE = [["200", "start to process..."], "meanwhile", ["200", "processed"]];

for (const transport of ["websocket", "polling"]) {
  test(`the first response is live over ${transport}, in Node`, async () => {
    const socket = io(`${server.url}/testnamespace`, { transports: [transport], forceNew: true });
    const other = io(server.url, { transports: [transport], forceNew: true });
    const heard = [];
    await new Promise((resolve, reject) => {
      socket.on("connect_error", reject);
      socket.on("response", ({ code, msg }) => {
        heard.push([code, msg]);
        if (heard.length === 1) other.emit("echo", "meanwhile", (text) => heard.push(text));
        else resolve();
      });
      socket.emit("request_for_response", { param: "value" });
    });
    socket.close();
    other.close();
    assert.deepEqual(heard, LIVE);
  });

  test(`the first response is live over ${transport}, in Chromium`, async () => {
    const page = await open(browser, `${server.url}/`);
    const heard = await page.evaluate(
      (transport) =>
        new Promise((resolve, reject) => {
          const got = [];
          const socket = window.io("/testnamespace", { transports: [transport], forceNew: true });
          const other = window.io("/", { transports: [transport], forceNew: true });
          socket.on("connect_error", (e) => reject(e));
          socket.on("response", ({ code, msg }) => {
            got.push([code, msg]);
            if (got.length === 1) other.emit("echo", "meanwhile", (text) => got.push(text));
            else resolve(got);
          });
          socket.emit("request_for_response", { param: "value" });
        }),
      transport,
    );
    assert.deepEqual(heard, LIVE);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}
