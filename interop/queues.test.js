// Queues, over the stock client and over HTTP: a pause holds over a kill, and who waits is told where it stands.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { Server, TERMINAL, until } from "./lib/server.js";

let server, root;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  writeFileSync(join(root, "a"), "a");
  server = await Server.start({ roots: [root], args: ["--concurrency", "1"] });
});
after(async () => {
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

async function connect() {
  const socket = io(`${server.url}/jobs`, { forceNew: true });
  await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
  const ask = (event, payload) => new Promise((ok, bad) => socket.timeout(120_000).emit(event, payload, (e, ack) => (e ? bad(e) : ok(ack))));
  return { socket, ask };
}
const queue = async (name) => (await server.api("/api/queues")).body.queues.find((q) => q.name === name);

test("a paused queue begins nothing, a kill in between included", async () => {
  const { socket, ask } = await connect();
  assert.equal((await ask("queue:pause", { queue: "reports" })).queue.paused, true);
  const { job } = await ask("job:start", { kind: "checksum", args: { path: "." }, queue: "reports", priority: "high" });
  assert.equal(job.queue, "reports");
  const free = await server.startJob("checksum", { path: "." });
  await server.waitFor(free.id, TERMINAL);
  assert.equal((await server.job(job.id)).state, "queued");
  socket.close();
  await server.kill();
  await server.up();
  const other = await server.startJob("checksum", { path: "." });
  await server.waitFor(other.id, TERMINAL);
  const waits = await server.job(job.id);
  assert.deepEqual([waits.state, waits.waitsFor, waits.queuePosition], ["queued", "queue", 1]);
  const { paused, depth, byPriority, running } = await queue("reports");
  assert.deepEqual({ paused, depth, byPriority, running }, { paused: true, depth: 1, byPriority: { high: 1, default: 0, low: 0 }, running: 0 });
  const resumed = await fetch(`${server.url}/api/queues/reports/resume`, { method: "POST" });
  assert.equal(resumed.status, 200);
  assert.equal((await resumed.json()).queue.paused, false);
  assert.equal((await server.waitFor(job.id, TERMINAL)).state, "completed");
  const bad = await fetch(`${server.url}/api/queues/${encodeURIComponent("No Name")}/pause`, { method: "POST" });
  assert.equal(bad.status, 400);
  assert.equal((await bad.json()).code, "bad_request");
});

test("who waits is told where it stands, and priorities go first", async () => {
  const { socket, ask } = await connect();
  const flood = { kind: "test.flood", args: { lines: 1e6, burst: 1, every: 100 } };
  const { job: runs } = await ask("job:start", flood);
  await server.waitFor(runs.id, ["running"]);
  const places = [];
  const { job: last } = await ask("job:start", { kind: "checksum", args: { path: "." } });
  socket.on("job:position", (place) => place.id === last.id && places.push(place));
  await until("it is first", () => places.some((p) => p.queuePosition === 1 && p.waitsFor === "slot"));
  const { job: first } = await ask("job:start", { kind: "checksum", args: { path: "." }, priority: "high", subscribe: false });
  await until("it is second", () => places.at(-1).queuePosition === 2);
  await ask("job:cancel", { id: runs.id, force: true });
  const [a, b] = [await server.waitFor(first.id, TERMINAL), await server.waitFor(last.id, TERMINAL)];
  assert.ok(Date.parse(a.finishedAt) <= Date.parse(b.startedAt), `${a.finishedAt} ${b.startedAt}`);
  socket.close();
});
