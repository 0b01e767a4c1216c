// Every message of /jobs fits the contract's schema.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { io } from "./lib/client.js";
import { Server, TERMINAL, until } from "./lib/server.js";

const schema = JSON.parse(readFileSync(new URL("../contract/jobs.schema.json", import.meta.url)));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(schema);
function fits(def, value) {
  const check = ajv.getSchema(`${schema.$id}#/$defs/${def}`);
  assert.ok(check, `the contract has ${def}`);
  assert.ok(check(value), `${def}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value).slice(0, 1000)}`);
}

let server, root, socket;
const came = [];
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  writeFileSync(join(root, "zeros"), "");
  truncateSync(join(root, "zeros"), 1e9);
  writeFileSync(join(root, "t.csv"), "a,b\n1,2\n3\n");
  server = await Server.start({ roots: [root] });
  socket = io(`${server.url}/jobs`, { forceNew: true });
  socket.onAny((name, payload) => came.push([name, payload]));
  await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
});
after(async () => {
  socket?.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});
const ask = (event, payload) => new Promise((ok, bad) => socket.timeout(120_000).emit(event, payload, (e, ack) => (e ? bad(e) : ok(ack))));

test("acknowledgements and events fit the contract", async () => {
  fits("JobsChanged", await ask("jobs:watch", {}).then(({ jobs, counts }) => ({ jobs, counts })));
  const { kinds } = await ask("jobs:kinds", {});
  for (const name of ["checksum", "csv.profile", "task"]) assert.ok(kinds.some((kind) => kind.name === name), name);
  for (const kind of kinds) {
    fits("Kind", kind);
    ajv.compile({ ...kind.args, $id: `urn:test:${kind.name}` }); // it is a schema
  }
  assert.deepEqual((await server.api("/api/kinds")).body, { kinds });
  fits("ListQuery", { q: "a b", sort: "title", state: "failed" });
  const ids = [];
  for (const request of [
    { kind: "csv.profile", args: { path: "t.csv" }, logs: true },
    { kind: "checksum", args: { path: "." }, logs: true, tags: ["a"], idempotencyKey: "k" },
    { kind: "test.flood", args: { lines: 1e6, burst: 1, every: 100 } }, // runs until it is cancelled
    { kind: "test.panic", args: {}, logs: true },
  ]) {
    fits("StartRequest", request);
    const ack = await ask("job:start", request);
    fits("StartAck", ack);
    ids.push(ack.job.id);
    // On a busy machine a job may be over before it is answered: then its events come within the answer.
    for (const event of ack.sub.events) came.push([event.type.replace(".", ":"), event]);
    if (ack.sub.log) came.push(["job:log", ack.sub.log]);
  }
  fits("StartAck", await ask("job:start", { kind: "checksum", args: { path: "." }, tags: ["a"], idempotencyKey: "k" }));
  const again = await ask("job:subscribe", { id: ids[1], replay: "all", logs: { tail: 10 } });
  fits("SubscribeAck", again);
  for (const event of again.events) came.push([event.type.replace(".", ":"), event]);
  if (again.log) came.push(["job:log", again.log]);
  fits("Job", (await ask("job:get", { id: ids[1] })).job);
  await until("the third job runs", async () => (await server.job(ids[2])).state === "running");
  fits("CancelAck", await ask("job:cancel", { id: ids[2], reason: "enough" }));
  for (const id of ids) await server.waitFor(id, TERMINAL);
  // Before another subscription, whose acknowledgement would bring what is under way.
  const told = ["job:started", "job:progress", "job:completed", "job:failed", "job:cancelled", "job:log", "jobs:changed"];
  await until(`${told} come`, () => told.every((name) => came.some(([one]) => one === name)));
  fits("CancelAck", await ask("job:cancel", { id: ids[2] }));
  fits("ErrorAck", await ask("job:get", { id: "nope" }));
  fits("ErrorAck", await ask("job:start", { kind: "nope" }));
  for (const id of ids) {
    fits("SubscribeAck", await ask("job:subscribe", { id, replay: "all", logs: true }));
    for (const event of (await ask("job:history", { id })).events) fits("Event", event);
    fits("LogChunk", (await ask("job:logs", { id, tail: 100 })).log);
    fits("LogsRequest", { id, q: "e", limit: 3 });
    fits("LogFound", (await ask("job:logs", { id, q: "e", limit: 3 })).found);
  }
  for (const [name, payload] of came) {
    if (name === "jobs:changed") fits("JobsChanged", payload);
    else if (name === "job:log") fits("LogChunk", payload);
    else fits("Event", payload);
  }
});

test("the examples of the contract are what they say", () => {
  const examples = JSON.parse(readFileSync(new URL("../contract/examples.json", import.meta.url)));
  for (const [def, values] of Object.entries(examples)) {
    if (def === "INVALID") continue;
    for (const value of values) fits(def, value);
  }
  for (const [def, value] of examples.INVALID) assert.throws(() => fits(def, value));
});
