// A finished job is started again, and removed: over the stock client and over HTTP, before and after a kill.
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
  server = await Server.start({ roots: [root] });
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

test("a retry makes one new job, and leaves the old story as it was", async () => {
  const { socket, ask } = await connect();
  const { job } = await ask("job:start", { kind: "test.panic", args: {}, tags: ["again"] });
  await server.waitFor(job.id, TERMINAL);
  const before = (await ask("job:history", { id: job.id })).events;
  assert.equal(before.at(-1).type, "job.failed");
  const [one, two] = await Promise.all([ask("job:retry", { id: job.id }), ask("job:retry", { id: job.id })]);
  assert.ok(one.ok && two.ok, JSON.stringify([one, two]));
  assert.equal(one.job.id, two.job.id);
  assert.notEqual(one.job.id, job.id);
  assert.equal(Number(one.created) + Number(two.created), 1);
  assert.equal(one.job.retryOf, job.id);
  assert.deepEqual(one.job.tags, ["again"]);
  await server.waitFor(one.job.id, TERMINAL);
  const end = await server.job(one.job.id);
  assert.equal(end.state, "failed");
  assert.equal(end.retryOf, job.id);
  assert.deepEqual((await ask("job:history", { id: job.id })).events, before);

  const again = await fetch(`${server.url}/api/jobs/${one.job.id}/retry`, { method: "POST" });
  assert.equal(again.status, 202);
  const made = await again.json();
  assert.equal(again.headers.get("location"), `/api/jobs/${made.job.id}`);
  await server.waitFor(made.job.id, TERMINAL);
  assert.equal((await server.job(made.job.id)).state, "failed");
  socket.close();
});

test("a removed job is gone for good, and everybody is told", async () => {
  const { socket, ask } = await connect();
  const told = [];
  socket.on("job:removed", (event) => told.push(event));
  const gone = [];
  socket.on("jobs:changed", ({ removed = [] }) => gone.push(...removed));
  await ask("jobs:watch", {});
  const ids = [];
  for (let n = 0; n < 2; n++) {
    const { job } = await ask("job:start", { kind: "checksum", args: { path: "." } });
    ids.push(job.id);
    await server.waitFor(job.id, TERMINAL);
  }
  const { lastSeq } = await ask("job:subscribe", { id: ids[0] });
  assert.ok((await fetch(`${server.url}/api/jobs/${ids[0]}/artifacts/SHA256SUMS`)).ok);
  const other = await connect();
  assert.deepEqual(await other.ask("job:remove", { id: ids[0] }), { ok: true });
  await until("the watchers are told", () => told.length > 0 && gone.includes(ids[0]));
  assert.equal(told[0].jobId, ids[0]);
  assert.equal(told[0].type, "job.removed");
  assert.equal(told[0].seq, lastSeq);
  const deleted = await fetch(`${server.url}/api/jobs/${ids[1]}`, { method: "DELETE" });
  assert.equal(deleted.status, 204);
  other.socket.close();

  const { job: running } = await ask("job:start", { kind: "test.flood", args: { lines: 1e6, burst: 1, every: 100 } });
  await until("it runs", async () => (await server.job(running.id)).state === "running");
  const refused = await ask("job:remove", { id: running.id });
  assert.equal(refused.error.code, "conflict");
  assert.equal((await fetch(`${server.url}/api/jobs/${running.id}`, { method: "DELETE" })).status, 409);
  socket.close();

  await server.kill();
  await server.up();
  for (const id of ids) {
    for (const part of ["", "/events", "/logs", "/artifacts/SHA256SUMS"]) {
      assert.equal((await fetch(`${server.url}/api/jobs/${id}${part}`)).status, 404, id + part);
    }
  }
  const { jobs } = (await server.api("/api/jobs")).body;
  assert.ok(jobs.some(({ id }) => id === running.id));
  assert.ok(!jobs.some(({ id }) => ids.includes(id)));
});
