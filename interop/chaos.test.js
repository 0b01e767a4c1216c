// The server is killed at any moment, over and over, while jobs of every sort run and are watched. Then the log of every
// job must be whole, and each watcher must have seen exactly that. CHAOS_KILLS says how often; `make chaos` asks for more.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { Server, sleep } from "./lib/server.js";
import { overlaps, told } from "./lib/story.js";
import { byPoll, byStream, bySocket, lines } from "./lib/watch.js";

const KILLS = Number(process.env.CHAOS_KILLS ?? 6);
const EACH = 5; // jobs started between two kills
const KEYS = 3; // of concurrencyKey

const between = (low, high) => low + Math.floor(Math.random() * (high - low));
const one = (...of) => of[between(0, of.length)];

// The sorts of jobs, each with what its end must be unless its worker was lost three times.
const backoff = { type: "fixed", delayMs: 200 };
const work = (more = {}) => ({ steps: between(2, 8), every: between(10, 90), ...more });
const SORTS = [
  () => ({ request: { args: work(), priority: one("high", "default", "low") }, end: "completed" }),
  () => ({ request: { args: work(), delayMs: between(100, 3000) }, end: "completed" }),
  () => ({ request: { args: work(), runAt: new Date(Date.now() + between(100, 3000)).toISOString() }, end: "completed" }),
  () => ({ request: { args: work({ fail: 100 }), maxAttempts: 3, backoff }, end: "failed" }),
  // An attempt that was lost is none that has failed: there may be up to two of them beside.
  () => ({ request: { args: work({ fail: 2 }), maxAttempts: 3, backoff }, end: "completed" }),
  () => ({ request: { args: work({ steps: 1000 }), timeoutMs: between(100, 400), maxAttempts: 2, backoff }, end: "failed", code: "timeout" }),
  () => ({ request: { args: work(), concurrencyKey: `key${between(0, KEYS)}`, priority: one("high", "low") }, end: "completed" }),
  () => ({ request: { args: work(), queue: one("reports", "mails"), tags: ["chaos"] }, end: "completed" }),
];

let server, socket, over = false;
before(async () => {
  server = await Server.start({ args: ["--concurrency", "12", "--start-rate", "0", "--max-queued", "0"] });
  socket = io(`${server.url}/jobs`, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 300 });
});
after(async () => {
  over = true;
  socket?.close();
  await server?.stop();
});

/** Starts a job until that is answered. Its id is the client's, so that it is one job, however often it is asked for. */
async function start(id, request) {
  while (!over) {
    const ask = () => server.api("/api/jobs", { method: "POST", json: { kind: "test.work", id, ...request } }).catch(() => null);
    const answers = await Promise.all(one([ask()], [ask(), ask()]));
    const answer = answers.find((a) => a && a.status < 500);
    if (answer) {
      assert.ok([200, 202].includes(answer.status), JSON.stringify(answer));
      return;
    }
    await sleep(50);
  }
}

/** The ids of all jobs. */
async function listed() {
  const ids = [];
  for (let cursor = ""; ; ) {
    const { body } = await server.api(`/api/jobs?limit=100${cursor && `&cursor=${cursor}`}`);
    ids.push(...body.jobs.map((j) => j.id));
    if (!(cursor = body.next ?? "")) return ids.toSorted();
  }
}

test(`${KILLS} kills leave every job whole, and every watcher with the whole of it`, async () => {
  const began = new Map(), watchers = [], starting = [];
  let kills = 0;
  while (kills < KILLS) {
    for (let n = 0; n < EACH; n++) {
      const id = `chaos-${kills}-${n}`;
      const job = SORTS[between(0, SORTS.length)]();
      began.set(id, job);
      const watch = [(s, id) => bySocket(socket, id), byPoll, byStream][between(0, 3)];
      starting.push(
        sleep(between(0, 500))
          .then(() => start(id, job.request))
          .then(() => watchers.push(watch(server, id))),
      );
    }
    await sleep(between(0, 1200));
    await server.kill();
    kills++;
    // Now and then it is killed before it listens.
    while (kills < KILLS && Math.random() < 0.15) {
      const up = server.up().catch(() => {});
      await sleep(between(0, 400));
      await server.kill();
      kills++;
      await up;
    }
    await server.up();
  }
  await Promise.all(starting);
  await Promise.all(watchers.map((w) => w.done));

  const wrong = [], keys = new Map(), logs = new Map();
  let events = 0, lost = 0, gaveUp = 0;
  for (const [id, { request, end, code }] of began) {
    const job = await server.job(id);
    const log = await server.history(id);
    logs.set(id, log);
    events += log.length;
    const story = told(job, log);
    wrong.push(...story.wrong);
    lost += job.lost ?? 0;
    if (request.concurrencyKey) keys.set(request.concurrencyKey, [...(keys.get(request.concurrencyKey) ?? []), ...story.runs]);
    if (job.state === "failed" && job.error.type === "worker_lost") gaveUp++;
    else if (job.state !== end || (code && job.error.code !== code)) wrong.push(`${id}: ended as ${job.state}, ${JSON.stringify(job.error)}, want ${end}`);
    if (job.state === "completed" && job.result.attempt !== job.attempt) wrong.push(`${id}: the result is of attempt ${job.result.attempt}, want ${job.attempt}`);
  }
  for (const [key, runs] of keys) if (overlaps(runs) > 0) wrong.push(`${key}: ${overlaps(runs)} runs began before the one before had ended`);
  for (const w of watchers) {
    const want = lines(logs.get(w.id));
    if (w.got.join() !== want.join()) wrong.push(`${w.id}: a watcher by ${w.how} got\n  ${w.got}\nwant\n  ${want}`);
  }
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} things are wrong; the server said: ${server.output.slice(-3000)}`);
  assert.deepEqual(await listed(), [...began.keys()].toSorted(), "the list has exactly the jobs that were started");

  // What was removed stays removed.
  const kept = [...began.keys()].toSorted();
  const removed = kept.splice(0, kept.length >> 1);
  for (const id of removed) assert.equal((await server.api(`/api/jobs/${id}`, { method: "DELETE" })).status, 204, id);
  await server.kill();
  await server.up();
  assert.deepEqual(await listed(), kept, "the list has exactly the jobs that were not removed");
  for (const id of removed) assert.equal((await server.api(`/api/jobs/${id}/events`)).status, 404, id);
  console.log(`# ${kills} kills, ${began.size} jobs, ${events} events, ${watchers.length} watchers; ${lost} runs were lost, and ${gaveUp} jobs given up for it`);
});
