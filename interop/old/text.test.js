// Text outside ASCII and the old clients, in Node and in Chromium: see text.js.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, open } from "../lib/browser.js";
import { Server } from "./lib.js";
import { call, connected, dial, generations, transports } from "./scenario.js";
import { fromOther, fromServer, toServer } from "./text.js";

const require = createRequire(import.meta.url);
const words = JSON.parse(await readFile(join(import.meta.dirname, "server/words.json"), "utf8"));
const jsonp = { transports: ["polling"], forceJSONP: true, jsonp: true };

// The characters of the second are quotes to a client that reads UTF-8 twice.
const sayings = [
  { user: "eve", text: "hi•,•admin•:true,•x•:•" },
  { user: "żaba", text: "\u2028 小米 😀 é", "ключ": ["नमस्ते"] },
];

let server, browser, other;
before(async () => {
  server = await Server.start();
  browser = await launch();
  other = await connected(dial(require("socket.io-client-4"), server.url, transports.websocket, generations[4]));
});
after(async () => {
  other?.disconnect();
  await browser?.close();
  await server?.stop();
});

const old = Object.entries(generations).filter(([, generation]) => generation.old);

for (const [number, generation] of old) {
  if (generation.early) continue;
  const io = require(`socket.io-client-${number}`);
  const { version } = require(`socket.io-client-${number}/package.json`);
  for (const [name, options] of Object.entries(transports)) {
    test(`text from the server to ${version} in Node over ${name}`, () => fromServer(io, server.url, options, generation, words));

    test(`text from another client to ${version} in Node over ${name}`, async () => {
      for (const what of sayings) {
        const got = await fromOther(io, server.url, options, generation, () => call(other, "relay", what));
        assert.deepEqual(got, what);
      }
    });

    test(`text from ${version} in Node over ${name}`, () => toServer(io, server.url, options, generation, number));
  }
}

for (const [number] of old) {
  const withPage = async (run) => {
    const page = await open(browser, `${server.url}/page.html?client=${number}`);
    try {
      await page.waitForFunction(() => window.scenario && window.io);
      await run(page);
      assert.deepEqual(page.problems, []);
    } finally {
      await page.context().close();
    }
  };
  for (const [name, options] of Object.entries({ ...transports, jsonp })) {
    test(`text from the server to ${number} in Chromium over ${name}`, () =>
      withPage((page) =>
        page.evaluate(([options, words]) => text.fromServer(io, location.origin, options, generation, words), [options, words]),
      ));

    test(`text from another client to ${number} in Chromium over ${name}`, () =>
      withPage(async (page) => {
        await page.exposeFunction("relay", (what) => call(other, "relay", what));
        for (const what of sayings) {
          const got = await page.evaluate(
            ([options, what]) => text.fromOther(io, location.origin, options, generation, () => relay(what)),
            [options, what],
          );
          assert.deepEqual(got, what);
        }
      }));

    test(`text from ${number} in Chromium over ${name}`, () =>
      withPage((page) =>
        page.evaluate(([options, number]) => text.toServer(io, location.origin, options, generation, number), [options, number]),
      ));
  }
}
