// What a worker says beside its progress: custom events under their own name, and live values, to a stock client.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { Server, TERMINAL, until } from "./lib/server.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

for (const transport of ["polling", "websocket"]) {
  test(`custom events and live values over ${transport}`, async () => {
    const socket = io(`${server.url}/jobs`, { forceNew: true, transports: [transport] });
    await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
    const named = [], all = [], values = [], ends = [];
    socket.on("report:page", (event) => named.push(event.data.payload.n));
    socket.on("job:event", (event) => all.push(event));
    socket.on("job:values", (event) => values.push(event.data.values.page));
    socket.on("job:completed", (event) => ends.push(event));
    const ask = (event, payload) => new Promise((ok, bad) => socket.timeout(120_000).emit(event, payload, (e, ack) => (e ? bad(e) : ok(ack))));
    const { job, sub } = await ask("job:start", { kind: "test.says", args: { pages: 60 } });
    await until("the end comes", () => ends.some((event) => event.type === "job.completed"));
    const before = sub.events.filter(({ type }) => type === "job.event");
    assert.deepEqual([...before, ...all].map(({ data }) => data.payload.n), Array.from({ length: 61 }, (_, n) => n));
    const missed = before.filter(({ data }) => data.name === "report:page").length;
    assert.deepEqual(named, Array.from({ length: 60 - missed }, (_, n) => n + missed + 1));
    assert.equal(ends.length, 1, "a reserved name is told as job:event alone");
    assert.ok(values.length > 1 && values.length < 30, `${values}`);
    assert.equal(values.at(-1), 60);
    const end = await server.waitFor(job.id, TERMINAL);
    assert.deepEqual(end.values, { page: 60 });
    const history = await server.history(job.id);
    assert.equal(history.filter(({ data }) => data?.name === "report:page").length, 60);
    socket.close();
  });
}

test("messages reach the worker, over a socket and over HTTP, before and after a kill", async () => {
  const connect = async () => {
    const socket = io(`${server.url}/jobs`, { forceNew: true });
    await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
    return [socket, (event, payload) => new Promise((ok, bad) => socket.timeout(120_000).emit(event, payload, (e, ack) => (e ? bad(e) : ok(ack))))];
  };
  let [socket, ask] = await connect();
  const { job } = await ask("job:start", { kind: "test.says", args: { hear: true } });
  const heard = [];
  socket.on("heard", (event) => heard.push(event.data.payload));
  const sent = await ask("job:send", { id: job.id, name: "tell", payload: "grüße" });
  assert.ok(sent.ok && sent.seq > 1, JSON.stringify(sent));
  const posted = await server.api(`/api/jobs/${job.id}/events`, { method: "POST", json: { name: "tell", payload: "over HTTP" } });
  assert.equal(posted.status, 202);
  await until("both are heard", () => heard.length === 2);
  assert.deepEqual(heard, ["grüße", "over HTTP"]);
  socket.close();

  await server.kill();
  await server.up();
  [socket, ask] = await connect();
  await server.api(`/api/jobs/${job.id}/events`, { method: "POST", json: { name: "tell", payload: "after" } });
  await ask("job:send", { id: job.id, name: "tell", payload: "end" });
  await server.waitFor(job.id, TERMINAL);
  const end = await server.job(job.id);
  assert.equal(end.state, "completed");
  assert.deepEqual(end.result.at(-1), "after");
  const log = await server.history(job.id);
  assert.deepEqual(log.filter(({ type }) => type === "job.message").map(({ data }) => data.payload), ["grüße", "over HTTP", "after", "end"]);
  const refused = await ask("job:send", { id: job.id, name: "tell", payload: "late" });
  assert.equal(refused.error.code, "conflict");
  assert.equal((await ask("job:send", { id: job.id, name: "No Name" })).error.code, "bad_request");
  socket.close();
});
