// Parts of the page that need no browser to be tested.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

const part = (name) => import(new URL(`../public/app/${name}`, import.meta.url));
const { nameFor } = await part("upload.js");
const { demand } = await part("demand.js");
const { painter } = await part("dom.js");
const { matches, queryOf } = await part("narrow.js");

test("an upload keeps its name, but for what no system takes in one", () => {
  for (const [name, want] of [
    ["表格.csv", "表格.csv"],
    ["e\u0301te\u0301.csv", "\u00e9t\u00e9.csv"], // as macOS writes it, and as the rest of the world does
    ["a/b\\c\u0000\n.csv", "a_b_c__.csv"],
    ["\ud800.csv", "\ufffd.csv"],
    ["..", "upload"],
    ["", "upload"],
    [`${"長".repeat(100)}.csv`, `${"長".repeat(65)}.csv`],
    [`${"😀".repeat(100)}`, "😀".repeat(50)],
    [`a.${"x".repeat(300)}`, `a.${"x".repeat(198)}`],
  ]) assert.equal(nameFor(name), want, name);
});

test("a drawing that takes long is made less often, so that what comes in is taken in", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let clock = 0;
  let drawn = 0;
  mock.method(performance, "now", () => clock);
  const cost = 400;
  const paint = painter(() => { drawn++; clock += cost; });
  for (let ms = 0; ms < 120_000; ms += 10) {
    paint.mark();
    clock += 10;
    mock.timers.tick(10);
  }
  assert.ok(drawn >= 5 && drawn * cost < 0.25 * clock, `${drawn} drawings took ${drawn * cost} of ${clock} ms`);
  paint.stop();
  mock.timers.reset();
  mock.restoreAll();
});

/** Stands for a stock client's socket. */
class FakeSocket {
  connected = false;
  sendBuffer = [];
  sent = [];
  listeners = new Set();
  on(_, call) { this.listeners.add(call); }
  off(_, call) { this.listeners.delete(call); }
  emit(name, payload, ack) {
    if (this.connected) this.sent.push({ name, payload, ack });
    else this.sendBuffer.push({ data: [name, payload] });
  }
  connect() {
    this.connected = true;
    for (const call of this.listeners) call();
  }
}

test("a demand is made once there is a connection, and again after each one that ended without an answer", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const socket = new FakeSocket();
  const waits = [];
  const acks = [];
  const one = demand(socket, "job:start", { a: 1 }, { onWait: (is) => waits.push(is), done: (ack) => acks.push(ack) });
  mock.timers.tick(1);
  assert.deepEqual([socket.sendBuffer, socket.sent, waits], [[], [], [true]], "nothing is left to the client's buffer");
  socket.connect();
  socket.connect();
  assert.equal(socket.sent.length, 2);
  for (const { ack } of socket.sent) ack({ ok: true });
  assert.deepEqual([acks, waits.at(-1), socket.listeners.size], [[{ ok: true }], false, 0]);
  assert.equal(one.withdraw(), true);
  mock.timers.reset();
});

test("a demand that is withdrawn is neither sent nor answered, even if the client kept it", () => {
  const socket = new FakeSocket();
  const payload = { a: 1 };
  const one = demand(socket, "job:start", payload, { onWait() {}, done: () => assert.fail("it was withdrawn") });
  socket.sendBuffer.push({ data: ["job:start", payload] }, { data: ["jobs:list", {}] });
  assert.equal(one.withdraw(), false);
  assert.deepEqual(socket.sendBuffer, [{ data: ["jobs:list", {}] }]);
  socket.connect();
  assert.deepEqual(socket.sent, []);
});

test("the address says which jobs are shown, and a job belongs to them as the server says", () => {
  assert.deepEqual(queryOf("?state=failed&q=a+b&x=1&tag="), { state: "failed", q: "a b" });
  assert.deepEqual(queryOf("?state=nonsense"), {});
  const job = { id: "01K9", kind: "csv.profile", title: "CSV profile of Größe.csv", state: "scheduled", tags: ["nightly"] };
  for (const [query, want] of [
    [{}, true], [{ q: "GRÖSSE" }, false], [{ q: "größe  csv" }, true], [{ q: "k9 night" }, true], [{ q: "csv absent" }, false],
    [{ kind: "csv.profile", tag: "nightly" }, true], [{ tag: "night" }, false], [{ state: "queued" }, true], [{ state: "running" }, false],
  ]) assert.equal(matches(query, job), want, JSON.stringify(query));
});
