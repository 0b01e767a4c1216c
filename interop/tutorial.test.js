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

function check(responses) {
  assert.deepEqual(responses.map((r) => [r.code, r.msg]), [
    ["200", "start to process..."],
    ["200", "processed"],
  ]);
  const apart = responses[1].at - responses[0].at;
  assert.ok(apart >= 4000, `the answers are ${apart} ms apart, want at least 4000`);
}

for (const transport of ["websocket", "polling"]) {
  test(`the first response is live over ${transport}, in Node`, async () => {
    const socket = io(`${server.url}/testnamespace`, { transports: [transport], forceNew: true });
    const responses = [];
    await new Promise((resolve, reject) => {
      socket.on("connect_error", reject);
      socket.on("response", (r) => {
        responses.push({ ...r, at: Date.now() });
        if (responses.length === 2) resolve();
      });
      socket.emit("request_for_response", { param: "value" });
    });
    socket.close();
    check(responses);
  });

  test(`the first response is live over ${transport}, in Chromium`, async () => {
    const page = await open(browser, `${server.url}/`);
    const responses = await page.evaluate(
      (transport) =>
        new Promise((resolve, reject) => {
          const got = [];
          const socket = window.io("/testnamespace", { transports: [transport], forceNew: true });
          socket.on("connect_error", (e) => reject(e));
          socket.on("response", (r) => {
            got.push({ ...r, at: Date.now() });
            if (got.length === 2) resolve(got);
          });
          socket.emit("request_for_response", { param: "value" });
        }),
      transport,
    );
    check(responses);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}
