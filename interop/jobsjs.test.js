// The rule of public/jobs.js for seq and prev, and for log lines, with a socket that does only what
// the test says. The source is read as a module, whatever the directory's own package says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";

const source = readFileSync(new URL("../public/jobs.js", import.meta.url));
const { fold, watchJob } = await import(`data:text/javascript;base64,${source.toString("base64")}`);

// What jobs.js reads of a clock; a test says what time it is.
let clock = 0;
mock.method(performance, "now", () => clock);

const ID = "01K9ZQ8V5M9S2T7X4W3E6R1B0C";

/** Stands for a stock client's socket: the test says when it connects and what is answered. */
class FakeSocket {
  connected = false;
  sent = []; // {name, payload, answer}
  listeners = new Map();

  on(name, call) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), call]);
  }

  off(name, call) {
    this.listeners.set(name, this.listeners.get(name).filter((one) => one !== call));
  }

  emit(name, payload, answer) {
    assert.ok(this.connected, `${name} was sent without a connection`);
    this.sent.push({ name, payload, answer });
  }

  connect() {
    this.connected = true;
    this.say("connect");
  }

  cut() {
    this.connected = false;
    this.say("disconnect", "transport close");
  }

  say(name, payload) {
    for (const call of this.listeners.get(name) ?? []) call(payload);
  }

  event(event) {
    this.say(event.type.replace(".", ":"), event);
  }

  /** Takes the oldest request that is still open; it must have this name. */
  take(name) {
    const request = this.sent.shift();
    assert.equal(request?.name, name);
    return request;
  }

  count() {
    return [...this.listeners.values()].flat().length;
  }
}

const WRITTEN = Date.parse("2026-11-20T20:24:00Z");
const event = (seq, prev = seq - 1, type = "progress", data = { done: seq }) => ({
  type: `job.${type}`, jobId: ID, seq, prev, time: "2026-11-20T20:24:00Z", attempt: 1, data,
});
const run = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
const job = (seq, more = {}) => ({
  id: ID, kind: "checksum", queue: "default", state: "running", seq, attempt: 1, maxAttempts: 3,
  createdAt: "2026-11-20T20:24:00Z", ...more,
});
const ack = (events, lastSeq, more = {}) => ({
  ok: true, job: job(lastSeq), events, firstSeq: 1, lastSeq, recovered: true, hasMore: false, done: false, ...more,
});
const chunk = (line, n, more = {}) => ({
  jobId: ID, attempt: 1, line, lines: Array.from({ length: n }, (_, i) => ({ t: WRITTEN, m: `line ${line + i}` })), ...more,
});

/** A watch that writes down all it is told. */
function watching(options = {}, socket = new FakeSocket()) {
  const seen = { seqs: [], snapshots: [], lines: [], skipped: [], done: [], problems: [], order: [] };
  const watch = watchJob(socket, ID, {
    onSnapshot: (snapshot, { recovered }) => { seen.snapshots.push([snapshot.seq, recovered]); seen.order.push("snapshot"); },
    onEvent: (e) => { seen.seqs.push(e.seq); seen.order.push(e.seq); },
    onLog: (c, { skipped }) => { seen.lines.push(...c.lines.map((line, i) => { assert.equal(line.m, `line ${c.line + i}`); return c.line + i; })); seen.skipped.push(skipped); },
    onDone: (last) => { seen.done.push(last); seen.order.push("done"); },
    onError: (problem) => seen.problems.push(problem.code),
    ...options,
  });
  return { socket, watch, seen };
}

function live(seq, options) {
  const all = watching(options);
  all.socket.connect();
  all.socket.take("job:subscribe").answer(ack(run(1, seq), seq));
  return all;
}

test("nothing is sent before the socket connects, and the first subscribe asks for everything", () => {
  const { socket, watch, seen } = watching();
  assert.deepEqual(socket.sent, []);
  socket.connect();
  const { payload, answer } = socket.take("job:subscribe");
  assert.deepEqual(payload, { id: ID, after: 0, replay: "all", limit: 1000 });
  answer(ack(run(1, 3), 3));
  assert.deepEqual(seen.order, ["snapshot", 1, 2, 3]);
  assert.equal(watch.last, 3);
  watch.stop();
});

test("a duplicate is ignored, whole or partly", () => {
  const { socket, watch, seen } = live(3);
  for (const seq of [3, 2, 4, 4, 3, 5, 1]) socket.event(event(seq));
  assert.deepEqual(seen.seqs, [1, 2, 3, 4, 5]);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("coalesced progress is no gap: prev says what must be held, not seq-1", () => {
  const { socket, watch, seen } = live(3);
  socket.event(event(9, 3));
  socket.event(event(10, 9));
  assert.deepEqual(seen.seqs, [1, 2, 3, 9, 10]);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("a gap asks once with after: last, and what came meanwhile is neither lost nor doubled", () => {
  const { socket, watch, seen } = live(3);
  socket.event(event(6));
  socket.event(event(7));
  socket.event(event(8));
  assert.equal(socket.sent.length, 1, "one question, however many events stand behind the gap");
  const { payload, answer } = socket.take("job:subscribe");
  assert.equal(payload.after, 3);
  answer(ack(run(4, 7), 7));
  assert.deepEqual(seen.seqs, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("an answer that does not help is asked for again after a wait that grows, not in a loop", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { socket, watch, seen } = live(3);
    socket.event(event(9));
    socket.take("job:subscribe").answer(ack([], 3));
    assert.deepEqual(socket.sent, [], "not at once");
    mock.timers.tick(499);
    assert.deepEqual(socket.sent, []);
    mock.timers.tick(1);
    socket.take("job:subscribe").answer(ack([], 3));
    mock.timers.tick(999);
    assert.deepEqual(socket.sent, []);
    mock.timers.tick(1);
    socket.take("job:subscribe").answer(ack(run(4, 8), 8));
    assert.deepEqual(seen.seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    watch.stop();
  } finally {
    mock.timers.reset();
  }
});

test("each connect subscribes again with after: last, and an answer from before is ignored", () => {
  const { socket, watch, seen } = watching();
  socket.connect();
  const early = socket.take("job:subscribe");
  socket.cut();
  socket.connect();
  const second = socket.take("job:subscribe");
  early.answer(ack(run(1, 9), 9));
  assert.deepEqual(seen.seqs, [], "the answer belongs to a connection that is gone");
  second.answer(ack(run(1, 4), 4));
  socket.event(event(5));
  socket.cut();
  socket.connect();
  const third = socket.take("job:subscribe");
  assert.equal(third.payload.after, 5);
  third.answer(ack(run(6, 7), 7));
  assert.deepEqual(seen.seqs, [1, 2, 3, 4, 5, 6, 7]);
  watch.stop();
});

test("after: a page goes on where it was", () => {
  const { socket, watch, seen } = watching({ after: 17 });
  socket.connect();
  const { payload, answer } = socket.take("job:subscribe");
  assert.equal(payload.after, 17);
  answer(ack(run(18, 19), 19));
  assert.deepEqual(seen.seqs, [18, 19]);
  watch.stop();
});

test("hasMore reads on until all is there; live events meanwhile do not start a loop", () => {
  const { socket, watch, seen } = watching();
  socket.connect();
  socket.take("job:subscribe").answer(ack(run(1, 4), 4, { job: job(9), hasMore: true }));
  const second = socket.take("job:subscribe");
  assert.equal(second.payload.after, 4);
  for (const seq of [10, 11, 12]) socket.event(event(seq));
  assert.deepEqual(socket.sent, [], "the answer on its way may hold what is missing");
  second.answer(ack(run(5, 8), 8, { job: job(9), hasMore: true }));
  socket.take("job:subscribe").answer(ack(run(9, 10), 10));
  assert.deepEqual(seen.seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("recovered: false takes the job as the new state and goes on after what is still stored", () => {
  const { socket, watch, seen } = live(3);
  socket.cut();
  socket.connect();
  socket.take("job:subscribe").answer(ack(run(40, 42), 42, { recovered: false, firstSeq: 40 }));
  assert.deepEqual(seen.snapshots, [[3, true], [42, false]]);
  assert.deepEqual(seen.seqs, [1, 2, 3, 40, 41, 42]);
  socket.event(event(43));
  assert.equal(watch.last, 43);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("recovered: false without events, and with a job that is older than the page's", () => {
  const { socket, watch, seen } = watching({ after: 90 });
  socket.connect();
  socket.take("job:subscribe").answer(ack([], 12, { recovered: false }));
  assert.equal(watch.last, 12, "another store: its numbers hold");
  assert.deepEqual(seen.snapshots, [[12, false]]);
  socket.event(event(13));
  assert.deepEqual(seen.seqs, [13]);
  watch.stop();
});

test("a live terminal event fetches the final snapshot and is done once", () => {
  const { socket, watch, seen } = live(3);
  socket.event(event(4, 3, "completed", {}));
  const { payload, answer } = socket.take("job:get");
  assert.deepEqual(payload, { id: ID });
  const last = job(4, { state: "completed", result: { files: 3 } });
  answer({ ok: true, job: last });
  assert.deepEqual(seen.done, [last]);
  socket.event(event(4, 3, "completed", {}));
  socket.cut();
  socket.connect();
  assert.deepEqual(socket.sent, [], "nothing can follow a terminal event");
  assert.deepEqual(seen.order.slice(-2), [4, "done"]);
  watch.stop();
});

test("a job that is already over is done in the ack, after its last event", () => {
  const { socket, watch, seen } = watching();
  socket.connect();
  const over = job(4, { state: "failed" });
  socket.take("job:subscribe").answer(ack([...run(1, 3), event(4, 3, "failed", { error: { type: "x", message: "y" } })], 4, { job: over, done: true }));
  assert.deepEqual(seen.order, ["snapshot", 1, 2, 3, 4, "done"]);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("a connection that is lost between the terminal event and its snapshot still ends in one onDone", () => {
  const { socket, watch, seen } = live(3);
  socket.event(event(4, 3, "cancelled", {}));
  socket.take("job:get");
  socket.cut();
  socket.connect();
  socket.take("job:subscribe").answer(ack([], 4, { job: job(4, { state: "cancelled" }), done: true }));
  assert.equal(seen.done.length, 1);
  assert.equal(seen.done[0].state, "cancelled");
  watch.stop();
});

test("a refusal is told once; one that passes is tried again after retryAfterMs", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { socket, watch, seen } = watching();
    socket.connect();
    socket.take("job:subscribe").answer({ ok: false, error: { code: "unavailable", status: 503, retryAfterMs: 700 } });
    mock.timers.tick(699);
    assert.deepEqual(socket.sent, []);
    mock.timers.tick(1);
    socket.take("job:subscribe").answer({ ok: false, error: { code: "not_found", status: 404 } });
    assert.deepEqual(seen.problems, ["not_found"]);
    mock.timers.tick(60_000);
    assert.deepEqual(socket.sent, []);
    watch.stop();
  } finally {
    mock.timers.reset();
  }
});

test("watches of one job share listeners, move along with each other's answers, and leave nothing behind", () => {
  const first = live(3);
  const { socket } = first;
  const listeners = socket.count();
  const second = watching({}, socket);
  assert.equal(socket.count(), listeners);
  socket.take("job:subscribe").answer(ack(run(1, 5), 5));
  assert.deepEqual(first.seen.seqs, [1, 2, 3, 4, 5]);
  assert.deepEqual(second.seen.seqs, [1, 2, 3, 4, 5]);
  socket.event(event(6));
  assert.deepEqual(first.seen.seqs, second.seen.seqs);
  first.watch.stop();
  assert.deepEqual(socket.sent, [], "the other one still watches");
  socket.event(event(7));
  assert.equal(first.watch.last, 6);
  assert.equal(second.watch.last, 7);
  second.watch.stop();
  assert.deepEqual(socket.take("job:unsubscribe").payload, { id: ID });
  assert.equal(socket.count(), 0);
});

test("events of other jobs do not get to a watch", () => {
  const { socket, watch, seen } = live(3);
  socket.event({ ...event(4), jobId: "another" });
  assert.deepEqual(seen.seqs, [1, 2, 3]);
  watch.stop();
});

// ---- log lines

function logging(options = { tail: 5 }) {
  const all = watching({ logs: options });
  all.socket.connect();
  return all;
}

test("log lines come once and in order, from the tail on", () => {
  const { socket, watch, seen } = logging();
  const { payload, answer } = socket.take("job:subscribe");
  assert.deepEqual(payload.logs, { tail: 5 });
  answer(ack([], 0, { log: chunk(96, 5) }));
  socket.say("job:log", chunk(101, 2));
  socket.say("job:log", chunk(102, 3)); // its first line is known
  socket.say("job:log", chunk(100, 2)); // all of it is known
  assert.deepEqual(seen.lines, [96, 97, 98, 99, 100, 101, 102, 103, 104]);
  assert.equal(watch.lastLine, 104);
  socket.cut();
  socket.connect();
  assert.deepEqual(socket.take("job:subscribe").payload.logs, { after: 104 });
  watch.stop();
});

test("a page that is ahead of the log and of the text, as after a store was restored, takes both anew", () => {
  const { socket, seen, watch } = watching({ after: 900, logs: { after: 500 } });
  socket.connect();
  const { payload, answer } = socket.take("job:subscribe");
  assert.deepEqual(payload, { id: ID, after: 900, replay: "all", limit: 1000, logs: { after: 500 } });
  answer(ack(run(1, 3), 3, { recovered: false, log: chunk(1, 5) }));
  socket.event(event(4));
  socket.say("job:log", chunk(6, 1));
  assert.deepEqual(seen.seqs, [1, 2, 3, 4]);
  assert.deepEqual(seen.lines, [1, 2, 3, 4, 5, 6]);
  assert.equal(watch.lastLine, 6);
  assert.equal(socket.sent.length, 0);
});

test("a gap between log chunks is filled by job:logs, and later chunks wait for it", () => {
  const { socket, watch, seen } = logging();
  socket.take("job:subscribe").answer(ack([], 0, { log: chunk(1, 3) }));
  socket.say("job:log", chunk(8, 2, { dropped: 4 }));
  socket.say("job:log", chunk(10, 1));
  const { payload, answer } = socket.take("job:logs");
  assert.deepEqual(payload, { id: ID, after: 3, limit: 1000 });
  answer({ ok: true, log: chunk(4, 5) });
  assert.deepEqual(seen.lines, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(seen.skipped.filter(Boolean), []);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("a gap wider than a page is skipped but for its newest page, and the watch says so", () => {
  const { socket, watch, seen } = logging();
  socket.take("job:subscribe").answer(ack([], 0, { log: chunk(1, 3) }));
  socket.say("job:log", chunk(5001, 2));
  const { payload, answer } = socket.take("job:logs");
  assert.equal(payload.after, 4000);
  answer({ ok: true, log: chunk(4001, 1000) });
  assert.equal(seen.lines.length, 3 + 1000 + 2);
  assert.deepEqual(seen.skipped, [0, 3997, 0]);
  watch.stop();
});

test("lines that the server no longer has do not hold up the rest", () => {
  const { socket, watch, seen } = logging();
  socket.take("job:subscribe").answer(ack([], 0, { log: chunk(1, 3) }));
  socket.say("job:log", chunk(8, 2));
  socket.take("job:logs").answer({ ok: true, log: chunk(4, 0) });
  socket.take("job:logs").answer({ ok: true, log: chunk(4, 0) });
  assert.deepEqual(seen.lines, [1, 2, 3, 8, 9]);
  assert.deepEqual(seen.skipped, [0, 4]);
  assert.deepEqual(socket.sent, []);
  watch.stop();
});

test("lines that the final snapshot knows of are fetched before the story is over", () => {
  const { socket, watch, seen } = logging();
  socket.take("job:subscribe").answer(ack(run(1, 2), 2, { log: chunk(1, 3) }));
  socket.event(event(3, 2, "completed", {}));
  socket.take("job:get").answer({ ok: true, job: job(3, { state: "completed", log: { lines: 5, bytes: 50 } }) });
  socket.take("job:logs").answer({ ok: true, log: chunk(4, 2) });
  assert.deepEqual(seen.lines, [1, 2, 3, 4, 5]);
  watch.stop();
});

// ---- fold

test("a job that completes with warnings claims no more than it did, and counts them anew in each attempt", () => {
  const half = job(3, { progress: { done: 5, total: 10, percent: 50 } });
  const end = (data) => ({ ...event(4, 3, "completed", data), state: "completed" });
  const warned = fold(half, end({ warnings: 5 }));
  assert.deepEqual([warned.warnings, warned.progress.percent], [5, 50]);
  assert.equal(fold(half, end({})).progress.percent, 100);
  assert.equal(fold({ ...half, progress: { done: 10, total: 10, percent: 99.9 } }, end({ warnings: 5 })).progress.percent, 100);
  assert.equal(fold({ ...half, warnings: 5 }, event(4, 3, "started", {})).warnings, undefined);
});

test("fold follows a job through its life and ignores what the snapshot already holds", () => {
  const queued = job(1, { state: "queued", attempt: 0 });
  const started = fold(queued, { ...event(2, 1, "started", { worker: "w1" }), state: "running" });
  assert.equal(started.state, "running");
  assert.equal(started.worker, "w1");
  const step = fold(started, event(3, 2, "step", { index: 1, count: 2, name: "Find files" }));
  assert.deepEqual(step.progress.step, { index: 1, count: 2, name: "Find files" });
  const moved = fold(step, event(4, 3, "progress", { done: 5, total: 10, percent: 50 }));
  assert.equal(moved.progress.percent, 50);
  assert.equal(moved.progress.step.name, "Find files");
  assert.equal(fold(moved, event(4)), moved);
  const cancelling = fold(moved, event(5, 4, "cancelling", {}));
  assert.equal(cancelling.cancelRequested, true);
  const over = fold(cancelling, { ...event(6, 5, "cancelled", {}), state: "cancelled" });
  assert.equal(over.state, "cancelled");
  assert.equal(over.finishedAt, "2026-11-20T20:24:00Z");
  assert.equal(queued.state, "queued", "the older snapshot is not changed");
});

test("text that comes too late is not waited for: the newest is asked for, and what was skipped is told", () => {
  const { socket, watch, seen } = watching({ logs: { tail: 10 } });
  socket.connect();
  socket.take("job:subscribe").answer(ack(run(1, 3), 3, { log: chunk(1, 5) }));
  const late = (seconds) => ({ ...event(4 + seconds), time: new Date(WRITTEN + 1000 * seconds).toISOString(), prev: 3 });
  socket.say("job:log", chunk(6, 5)); // of the same time as the events
  socket.event(late(2));
  socket.say("job:log", chunk(11, 5)); // two seconds behind them
  socket.event(late(4));
  socket.say("job:log", chunk(16, 5)); // four
  socket.say("job:log", chunk(21, 5));
  assert.deepEqual(seen.lines, Array.from({ length: 15 }, (_, i) => i + 1));
  const { payload, answer } = socket.take("job:logs");
  assert.deepEqual(payload, { id: ID, tail: 200 });
  assert.deepEqual(socket.sent, [], "it is asked for once");
  answer({ ok: true, log: chunk(901, 200) });
  assert.deepEqual([seen.lines[15], seen.lines.at(-1)], [901, 1100]);
  assert.deepEqual(seen.skipped, [0, 0, 0, 885]);
  socket.say("job:log", chunk(26, 5)); // still behind, and known not to be wanted
  assert.deepEqual(socket.sent, [], "not again within a second");
  clock += 1001;
  socket.say("job:log", chunk(31, 5));
  socket.take("job:logs").answer({ ok: true, log: chunk(1101, 200) });
  assert.deepEqual([seen.lines.at(-1), seen.skipped.at(-1)], [1300, 0]);
  watch.stop();
});

test("text that is late by the page's own clock is late too, where the events come as late", () => {
  const { socket, watch, seen } = watching({ logs: true });
  socket.connect();
  socket.take("job:subscribe").answer(ack(run(1, 3), 3, { log: chunk(1, 5) }));
  clock += 5000; // the page did something else, and the text has waited on its way
  socket.say("job:log", chunk(6, 5));
  assert.deepEqual(seen.lines.length, 5);
  socket.cut(); // the answer is lost with the connection
  socket.connect();
  socket.take("job:logs");
  assert.deepEqual(socket.take("job:subscribe").payload.logs, { after: 5 });
  watch.stop();
});
