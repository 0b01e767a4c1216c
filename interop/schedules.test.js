// A schedule is put over the stock client and over HTTP, and makes one job at each tick, through a kill -9.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { Server, TERMINAL, sleep, until } from "./lib/server.js";

let server, root, socket;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  writeFileSync(join(root, "a"), "a");
  server = await Server.start({ roots: [root] });
  socket = io(`${server.url}/jobs`, { forceNew: true });
  await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
});
after(async () => {
  socket?.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});
const ask = (event, payload) => new Promise((ok, bad) => socket.timeout(120_000).emit(event, payload, (e, ack) => (e ? bad(e) : ok(ack))));
const start = { kind: "checksum", args: { path: "." }, tags: ["ticked"] };
const list = async () => (await server.api("/api/schedules")).body.schedules;
const put = (id, json) => server.api(`/api/schedules/${id}`, { method: "PUT", json });

async function made() {
  const jobs = [];
  for (let cursor = ""; ; ) {
    const { body } = await server.api(`/api/jobs?tag=ticked&limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    jobs.push(...body.jobs);
    if (!body.next) return jobs.filter((job) => job.schedule?.id === "often");
    cursor = body.next;
  }
}

test("each tick makes one job, through a kill", async () => {
  const ack = await ask("schedule:put", { id: "often", everyMs: 1000, overlap: "queue", start });
  assert.ok(ack.ok && ack.created, JSON.stringify(ack));
  const began = Date.parse(ack.schedule.createdAt);
  assert.equal(Date.parse(ack.schedule.nextAt), began + 1000);
  await until("three ticks", async () => (await made()).length >= 3);
  await server.kill();
  await sleep(3500);
  await server.up();
  const before = (await made()).length;
  await until("ticks go on", async () => (await made()).length >= before + 3);
  await until("the socket is back", () => socket.connected);
  const paused = await ask("schedule:put", { id: "often", everyMs: 1000, overlap: "queue", paused: true, start });
  assert.ok(paused.ok && !paused.created, JSON.stringify(paused));
  assert.equal(paused.schedule.createdAt, ack.schedule.createdAt);
  assert.equal(paused.schedule.nextAt, undefined);
  const jobs = await made();
  const ticks = jobs.map((job) => Date.parse(job.schedule.tick)).sort((a, b) => a - b);
  assert.equal(new Set(ticks).size, ticks.length, `a tick has made two jobs: ${ticks}`);
  for (const tick of ticks) assert.equal((tick - began) % 1000, 0, `${tick} is no tick`);
  assert.ok(jobs.some((job) => job.schedule.late), "what fell into the outage says so");
  for (const job of jobs) await server.waitFor(job.id, TERMINAL);
  await sleep(2500);
  assert.equal((await made()).length, jobs.length, "a paused schedule has no ticks");

  const run = await ask("schedule:run", { id: "often" });
  assert.ok(run.ok && run.created && run.job.schedule.id === "often", JSON.stringify(run));
  const again = await server.api("/api/schedules/often/run", { method: "POST", headers: { "idempotency-key": "k" } });
  assert.equal(again.status, 202);
  assert.equal(again.headers.get("location"), `/api/jobs/${again.body.job.id}`);
  const same = await server.api("/api/schedules/often/run", { method: "POST", headers: { "idempotency-key": "k" } });
  assert.deepEqual([same.body.job.id, same.body.created], [again.body.job.id, false]);
  assert.ok((await ask("schedule:remove", { id: "often" })).ok);
  assert.equal((await ask("schedule:remove", { id: "often" })).error.code, "not_found");
  assert.equal((await made()).length, jobs.length + 2, "its jobs stay");
});

test("a schedule over HTTP", async () => {
  const one = await put("nightly", { cron: "30 2 * * mon-fri", timezone: "Europe/Berlin", start });
  assert.deepEqual([one.status, one.headers.get("location"), one.body.created], [201, "/api/schedules/nightly", true]);
  assert.equal((await put("nightly", { cron: "0 3 * * *", start })).status, 200);
  assert.deepEqual((await list()).map(({ id, cron, timezone }) => [id, cron, timezone]), [["nightly", "0 3 * * *", "UTC"]]);
  assert.deepEqual((await ask("schedule:list", {})).schedules, await list());
  for (const [pointer, json] of [
    ["/cron", { cron: "61 * * * *", start }],
    ["/cron", { cron: "@daily", start }],
    ["/timezone", { cron: "0 3 * * *", timezone: "Mars/Olympus", start }],
    ["/everyMs", { everyMs: 10, start }],
    ["/start/kind", { everyMs: 1000, start: { kind: "nope" } }],
    ["/start/args/path", { everyMs: 1000, start: { kind: "checksum", args: { path: 7 } } }],
  ]) {
    const { status, body } = await put("wrong", json);
    assert.deepEqual([status, body.errors?.[0].pointer], [400, pointer], JSON.stringify(body));
  }
  const run = await server.api("/api/schedules/nightly/run", { method: "POST" });
  assert.equal(run.status, 202);
  assert.equal((await fetch(`${server.url}/api/schedules/nightly`, { method: "DELETE" })).status, 204);
  assert.equal((await server.api("/api/schedules/nightly", { method: "DELETE" })).status, 404);
  assert.deepEqual(await list(), []);
});
