// The stock client with its msgpack parser, in Node and in Chromium, beside clients that speak JSON.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import msgpack from "socket.io-msgpack-parser";
import { launch, open } from "./lib/browser.js";
import { contiguous, Server, until } from "./lib/server.js";

const BUNDLE = resolve(import.meta.dirname, "node_modules/socket.io-client/dist/socket.io.msgpack.min.js");
const WAYS = {
  polling: { transports: ["polling"] },
  WebSocket: { transports: ["websocket"] },
  upgraded: { transports: ["polling", "websocket"] },
};

let server, files, browser;
before(async () => {
  files = mkdtempSync(join(tmpdir(), "jobcast-msgpack-"));
  writeFileSync(join(files, "some"), Buffer.alloc(40_000_000, "x"));
  [server, browser] = await Promise.all([Server.start({ roots: [files] }), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(files, { recursive: true, force: true });
});

/** All that a client does; it runs in Node and in a page, and returns what it saw as JSON. */
async function scenario({ io, url, options, files }) {
  const seen = {};
  const soon = (what, promise) => Promise.race([
    promise,
    new Promise((_, no) => setTimeout(() => no(new Error(`timed out: ${what}`)), 120_000)),
  ]);
  const once = (socket, event) => soon(event, new Promise((done) => socket.once(event, (...args) => done(args))));
  const connect = (namespace, auth) => io(url + namespace, { ...options, auth, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 50 });
  const bytes = (value) => Array.from(new Uint8Array(value));
  const ask = (socket, ...args) => soon(args[0], socket.emitWithAck(...args));

  const main = connect("/");
  seen.texts = seen.messages = 0;
  main.io.engine.on("packet", ({ type, data }) => {
    if (type !== "message") return;
    seen.messages++;
    if (typeof data === "string") seen.texts++;
  });
  if (options.transports.length === 2) {
    await once(main.io.engine, "upgrade");
  }
  if (!main.connected) await once(main, "connect");
  seen.transport = main.io.engine.transport.name;

  // What was said comes back as an event and as the answer, with its types.
  const said = { text: "<é€😀>", list: [1, -1, 1.5, 300, -70000, 2 ** 40, true, false, null], nested: { deep: [{ empty: {} }] }, left: undefined };
  const back = once(main, "echo");
  seen.answer = await ask(main, "echo", said);
  seen.event = (await back)[0];
  seen.long = (await ask(main, "echo", "x".repeat(100_000))).length;

  const data = new Uint8Array([0, 1, 127, 128, 255]).buffer;
  const returned = once(main, "message");
  seen.binary = bytes((await ask(main, "message", { a: [data], b: data })).a[0]);
  seen.binaryEvent = bytes((await returned)[0].b);
  seen.date = await ask(main, "echo", new Date(1577836800200));

  // A nickname that cannot be is refused with data.
  const refused = connect("/chat", { nickname: "" });
  const [error] = await once(refused, "connect_error");
  seen.refused = { message: typeof error.message, code: error.data.code };
  refused.close();
  const unknown = connect("/none");
  seen.unknown = (await once(unknown, "connect_error"))[0].message;
  unknown.close();

  // A job reports while it runs, to one who did not start it.
  const starter = connect("/jobs"), jobs = connect("/jobs");
  await Promise.all([once(starter, "connect"), once(jobs, "connect")]);
  const seqs = [];
  const ended = new Promise((done) => {
    for (const name of ["queued", "started", "progress", "step", "completed", "failed"]) {
      jobs.on(`job:${name}`, (event) => {
        seqs.push(event.seq);
        if (name === "completed" || name === "failed") done(name);
      });
    }
  });
  const started = await ask(starter, "job:start", { kind: "checksum", args: { path: files } });
  const subscribed = await ask(jobs, "job:subscribe", { id: started.job.id, after: 0, replay: "all", limit: 1000 });
  seqs.unshift(...subscribed.events.map((event) => event.seq));
  seen.job = subscribed.done ? "completed" : await soon("the job", ended);
  seen.seqs = seqs;
  starter.close();
  jobs.close();

  // The connection breaks, and comes again.
  const first = main.id;
  main.io.engine.close();
  await once(main, "connect");
  seen.reconnected = main.id !== first && (await ask(main, "echo", 7)) === 7;
  main.close();
  return seen;
}

function check(seen, way) {
  assert.equal(seen.transport, way === "polling" ? "polling" : "websocket");
  assert.equal(seen.texts, 0, "the server sent text");
  assert.ok(seen.messages >= 8, `${seen.messages} messages`);
  const said = { text: "<é€😀>", list: [1, -1, 1.5, 300, -70000, 2 ** 40, true, false, null], nested: { deep: [{ empty: {} }] } };
  assert.deepEqual(seen.answer, said);
  assert.deepEqual(seen.event, said);
  assert.equal(seen.long, 100_000);
  assert.deepEqual(seen.binary, [0, 1, 127, 128, 255]);
  assert.deepEqual(seen.binaryEvent, [0, 1, 127, 128, 255]);
  assert.equal(seen.date, "2020-01-01T00:00:00.200Z");
  assert.deepEqual(seen.refused, { message: "string", code: "nickname_empty" });
  assert.equal(seen.unknown, "Invalid namespace");
  assert.equal(seen.job, "completed");
  contiguous(seen.seqs);
  assert.ok(seen.seqs.length >= 3, `events ${seen.seqs}`);
  assert.ok(seen.reconnected);
}

for (const [way, options] of Object.entries(WAYS)) {
  test(`Node over ${way}`, async () => {
    check(await scenario({ io, url: server.url, options: { ...options, parser: msgpack }, files }), way);
  });

  test(`Chromium over ${way}`, async () => {
    const page = await open(browser, `${server.url}/echo/`, { bypassCSP: true });
    await page.addScriptTag({ path: BUNDLE });
    const seen = await page.evaluate(
      `(${scenario})({ io: window.io, url: ${JSON.stringify(server.url)}, options: ${JSON.stringify(options)}, files: ${JSON.stringify(files)} })`);
    check(seen, way);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

test("a room of clients that speak JSON and msgpack hears the same", async () => {
  const page = await open(browser, `${server.url}/echo/`, { bypassCSP: true });
  await page.addScriptTag({ path: BUNDLE });
  await page.evaluate((url) => {
    window.heard = [];
    window.room = io(`${url}/chat`, { forceNew: true });
    window.room.on("chat:message", (message) => window.heard.push(message));
  }, server.url);
  const heard = [];
  const sockets = [["websocket"], ["polling"]].flatMap((transports) => [undefined, msgpack].map((parser) => {
    const socket = io(`${server.url}/chat`, { transports, forceNew: true, ...(parser ? { parser } : {}) });
    const list = [];
    heard.push(list);
    socket.on("chat:message", (message) => list.push(message));
    return socket;
  }));
  await until("all are there", () => sockets.every((s) => s.connected));
  await until("the page is there", () => page.evaluate(() => window.room.connected));
  for (const [i, socket] of sockets.entries()) {
    const ack = await socket.emitWithAck("chat:message", { chat: `from ${i}: <é€>` });
    assert.ok(ack.ok, JSON.stringify(ack));
  }
  await until("all heard all", () => heard.every((list) => list.length === sockets.length));
  await until("the page too", () => page.evaluate((n) => window.heard.length === n, sockets.length));
  heard.push(await page.evaluate(() => window.heard));
  for (const list of heard) {
    assert.deepEqual(list, heard[0]);
    assert.deepEqual(list.map((message) => message.chat), sockets.map((_, i) => `from ${i}: <é€>`));
  }
  sockets.forEach((s) => s.close());
  await page.context().close();
});
