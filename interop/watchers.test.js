// A thousand watchers of one job, with the stock client.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { contiguous, Server, TERMINAL, until } from "./lib/server.js";

const WATCHERS = 1000;
const EVENTS = ["queued", "started", "progress", "step", "cancelling", ...TERMINAL];

let server;
before(async () => {
  server = await Server.start();
});
after(async () => {
  await server?.stop();
});

test(`${WATCHERS} watchers of one job see all of its events in order`, async () => {
  const watchers = Array.from({ length: WATCHERS }, () => {
    const seqs = [];
    const socket = io(`${server.url}/jobs`, { transports: ["websocket"], forceNew: true, reconnection: false });
    const watcher = { socket, seqs, done: false, lost: null };
    socket.on("disconnect", (reason) => (watcher.lost = reason));
    for (const name of EVENTS) {
      socket.on(`job:${name}`, (event) => {
        seqs.push(event.seq);
        watcher.done ||= TERMINAL.includes(name);
      });
    }
    return watcher;
  });
  await until("all are connected", () => watchers.every((w) => w.socket.connected));
  // It takes some seconds of waiting, and leaves the processors to the watchers.
  const { id } = await server.startJob("test.flood", { lines: 300, burst: 1, every: 20 });
  for (const w of watchers) {
    w.socket.emit("job:subscribe", { id, after: 0, replay: "all", limit: 1000 }, (ack) => {
      if (!ack.ok || w.seqs.length > 0) {
        w.lost = ack.ok ? "an event came before the answer" : JSON.stringify(ack);
        return;
      }
      w.seqs.push(...ack.events.map((e) => e.seq));
      w.done ||= ack.done;
    });
  }
  await until("all saw the end", () => watchers.every((w) => w.done || w.lost));
  const log = (await server.history(id)).map((e) => e.seq);
  contiguous(log);
  assert.ok(log.length > 10, `${log.length} events`);
  for (const w of watchers) {
    assert.equal(w.lost, null, `the server said: ${server.output.slice(0, 3000)}`);
    assert.deepEqual(w.seqs, log);
    w.socket.close();
  }
  console.log(`# ${WATCHERS} watchers, ${log.length} events each, nothing missing and nothing twice`);
});
