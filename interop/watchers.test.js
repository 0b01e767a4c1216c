// A thousand watchers of one job, with the stock client.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { io } from "socket.io-client";
import { contiguous, Server, TERMINAL, until } from "./lib/server.js";

const WATCHERS = 1000;
const EVENTS = ["queued", "started", "progress", "step", "cancelling", ...TERMINAL];

let server, big;
before(async () => {
  big = mkdtempSync(join(tmpdir(), "jobcast-big-"));
  writeFileSync(join(big, "zeros"), "");
  truncateSync(join(big, "zeros"), 4e9);
  server = await Server.start({ roots: [big] });
});
after(async () => {
  await server?.stop();
  rmSync(big, { recursive: true, force: true });
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
  const { id } = await server.startJob("checksum", { path: big });
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
  for (const w of watchers) {
    assert.equal(w.lost, null, `the server said: ${server.output.slice(0, 3000)}`);
    assert.deepEqual(w.seqs, log);
    w.socket.close();
  }
  console.log(`# ${WATCHERS} watchers, ${log.length} events each, nothing missing and nothing twice`);
});
