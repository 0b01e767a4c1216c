// A server that gets no processor for longer than its lease, as a laptop that sleeps or a virtual machine that is moved.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { Server, sleep, TERMINAL } from "./lib/server.js";
import { told } from "./lib/story.js";
import { byPoll, byStream, bySocket, lines } from "./lib/watch.js";

const ASLEEP = 20_000; // a lease is 15 s

let server, socket;
before(async () => {
  server = await Server.start({ args: ["--concurrency", "3"] });
  socket = io(`${server.url}/jobs`, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 300 });
});
after(async () => {
  socket?.close();
  await server?.stop();
});

test("a server that was stopped for longer than its lease goes on, and each job has one story", async () => {
  const ids = [];
  const start = async (request) => {
    const { status, body } = await server.api("/api/jobs", { method: "POST", json: { kind: "test.work", ...request } });
    assert.equal(status, 202, JSON.stringify(body));
    ids.push(body.job.id);
    return body.job.id;
  };
  const args = { steps: 40, every: 100 };
  const runs = await start({ args });
  const fails = await start({ args: { steps: 20, every: 100, fail: 1 }, maxAttempts: 2, backoff: { type: "fixed", delayMs: 100 } });
  const late = await start({ args: { steps: 100, every: 100 }, timeoutMs: 6000 }); // it takes 10 s, and its time is up meanwhile
  const queued = await start({ args: { steps: 2, every: 10 } });
  const due = await start({ args: { steps: 2, every: 10 }, delayMs: 5000 });
  const watchers = ids.flatMap((id) => [bySocket(socket, id), byPoll(server, id), byStream(server, id)]);
  await server.waitFor(late, ["running"]);
  await sleep(300);

  server.process.kill("SIGSTOP");
  await sleep(ASLEEP);
  server.process.kill("SIGCONT");

  const jobs = new Map();
  for (const id of ids) jobs.set(id, await server.waitFor(id, TERMINAL));
  await Promise.all(watchers.map((w) => w.done));
  const wrong = [];
  const logs = new Map();
  for (const [id, job] of jobs) {
    logs.set(id, await server.history(id));
    wrong.push(...told(job, logs.get(id)).wrong);
  }
  for (const w of watchers) {
    const want = lines(logs.get(w.id));
    if (w.got.join() !== want.join()) wrong.push(`${w.id}: a watcher by ${w.how} got\n  ${w.got}\nwant\n  ${want}`);
  }
  assert.deepEqual(wrong, [], server.output.slice(-3000));
  const ends = { [runs]: "completed", [fails]: "completed", [late]: "failed", [queued]: "completed", [due]: "completed" };
  for (const [id, job] of jobs) assert.equal(job.state, ends[id], `${id}: ${JSON.stringify(job)}`);
  assert.equal(jobs.get(late).error.code, "timeout");
  // Nobody else could take them, so nobody has.
  for (const job of jobs.values()) assert.equal(job.lost ?? 0, 0, JSON.stringify(job));
});
