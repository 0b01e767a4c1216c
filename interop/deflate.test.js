// Per-message deflate (RFC 7692) with the stock client 4.8.4, in Node and in headless Chromium: the messages
// are the same, and fewer bytes are on the wire.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { launch, open } from "./lib/browser.js";
import { Server } from "./old/lib.js";

const LONG = JSON.stringify(Array.from({ length: 400 }, (_, i) => ({ seq: i, type: "progress", percent: i % 100 })));

// A proxy that counts the bytes of each direction.
class Meter {
  static async before(server) {
    const meter = new Meter();
    const [host, port] = server.address.split(":");
    meter.sockets = new Set();
    meter.listener = createServer((near) => {
      const far = connect(Number(port), host);
      for (const socket of [near, far]) {
        meter.sockets.add(socket);
        socket.on("error", () => {}).on("close", () => meter.sockets.delete(socket));
      }
      near.on("data", (chunk) => (meter.up += chunk.length)).pipe(far);
      far.on("data", (chunk) => (meter.down += chunk.length)).pipe(near);
    }).listen(0, "127.0.0.1");
    await once(meter.listener, "listening");
    meter.url = `http://127.0.0.1:${meter.listener.address().port}`;
    return meter;
  }

  reset() {
    this.up = this.down = 0;
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    this.listener.close();
  }
}

const servers = {};
let browser;
before(async () => {
  for (const [name, args] of [["on", ["-deflate"]], ["off", []]]) {
    const server = await Server.start(args);
    servers[name] = { server, meter: await Meter.before(server) };
  }
  browser = await launch();
});
after(async () => {
  await browser?.close();
  for (const { server, meter } of Object.values(servers)) {
    meter.close();
    await server.stop();
  }
});

// Sends and gets back text and binary, each long, and returns what the engine negotiated. It runs in a page,
// too.
async function echoes(io, url, options, long) {
  const socket = io(url, { forceNew: true, transports: ["websocket"], ...options });
  await new Promise((done, failed) => socket.on("connect", done).on("connect_error", failed));
  const bytes = new TextEncoder().encode(long);
  for (let i = 0; i < 10; i++) {
    const [text, data] = await new Promise((done) => socket.emit("echo", long, bytes, (...all) => done(all)));
    const back = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    if (text !== long || new TextDecoder().decode(back) !== long) throw new Error("what came back is something else");
  }
  const { extensions } = socket.io.engine.transport.ws;
  socket.disconnect();
  return typeof extensions === "string" ? extensions : Object.keys(extensions).join();
}

const plain = 20 * LONG.length;

for (const [name, wanted] of [["on", "permessage-deflate"], ["off", ""]]) {
  const check = (extensions, { up, down }) => {
    assert.match(extensions, new RegExp(`^${wanted}`), extensions);
    assert.equal(extensions === "", wanted === "");
    if (name === "on") {
      assert.ok(down < plain / 5, `${down} bytes came, of ${plain}`);
      assert.ok(up < plain / 5, `${up} bytes went, of ${plain}`);
    } else {
      assert.ok(down > plain, `${down} bytes came, of ${plain}`);
      assert.ok(up > plain, `${up} bytes went, of ${plain}`);
    }
  };

  test(`the stock client in Node, with the server's compression ${name}`, async () => {
    const { meter } = servers[name];
    meter.reset();
    check(await echoes(io, meter.url, { perMessageDeflate: { threshold: 0 } }, LONG), meter);
  });

  test(`the stock client in Chromium, with the server's compression ${name}`, async () => {
    const { meter } = servers[name];
    const page = await open(browser, `${meter.url}/page.html?client=4`);
    await page.waitForFunction(() => window.io);
    meter.reset();
    const run = async ([source, long]) => (0, eval)(`(${source})`)(io, location.origin, {}, long);
    check(await page.evaluate(run, [echoes.toString(), LONG]), meter);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

for (const transports of [["websocket"], ["polling", "websocket"]]) {
  test(`the scenario of every client, compressed, over ${transports.join(" and ")}`, async () => {
    const { server } = servers.on;
    const page = await open(browser, `${server.url}/page.html?client=4`);
    await page.waitForFunction(() => window.scenario && window.io);
    const run = (options) => scenario.scenario(io, location.origin, options, generation);
    assert.equal(await page.evaluate(run, { transports }), "done");
    await page.context().close();
  });
}

test("a client of the second generation, compressed", async () => {
  const { server } = servers.on;
  const page = await open(browser, `${server.url}/page.html?client=2`);
  await page.waitForFunction(() => window.scenario && window.io);
  const run = (options) => scenario.scenario(io, location.origin, options, generation);
  assert.equal(await page.evaluate(run, { transports: ["websocket"] }), "done");
  await page.context().close();
});
