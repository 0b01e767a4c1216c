// docs/asyncapi.json, which is made from events/, is valid, and true of the real server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import specs from "@asyncapi/specs";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { io } from "socket.io-client";
import { Server, until } from "./lib/server.js";

const here = (path) => resolve(import.meta.dirname, "..", path);
const catalogue = JSON.parse(readFileSync(here("docs/asyncapi.json")));

/** What a reference, such as #/channels/jobs, stands for. */
function lookup(reference) {
  assert.match(reference, /^#\//);
  return reference.slice(2).split("/").reduce((at, key) => at?.[key], catalogue);
}

test("the document is AsyncAPI 3, and every reference leads somewhere", () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  const valid = ajv.compile(specs.schemasWithoutId["3.0.0"]);
  assert.ok(valid(catalogue), ajv.errorsText(valid.errors));
  let references = 0;
  JSON.stringify(catalogue, (key, value) => {
    if (key === "$ref") {
      references++;
      assert.ok(lookup(value), `${value} leads nowhere`);
    }
    return value;
  });
  assert.ok(references > 50, `${references} references`);
});

// A field that the catalogue does not have is an error here, though a page ignores it.
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(JSON.parse(JSON.stringify({ ...catalogue, $id: "catalogue" }), (key, value) =>
  value?.type === "object" && value.properties ? { ...value, additionalProperties: false } : value));

const operations = Object.values(catalogue.operations).map((operation) => ({
  action: operation.action,
  path: lookup(operation.channel.$ref).address,
  message: operation.messages[0].$ref,
  event: lookup(operation.messages[0].$ref).name,
  answers: operation.reply?.messages.map(({ $ref }) => $ref) ?? [],
}));
const operation = (action, path, event) => {
  const found = operations.find((o) => o.action === action && o.path === path && o.event === event);
  assert.ok(found, `the catalogue has no ${event} on ${path}`);
  return found;
};

/** Why the arguments do not fit a message of the catalogue; null if they do. */
function misfit(message, args) {
  const { payload } = lookup(message);
  if (payload === undefined) return args.length === 0 ? null : "there is an argument";
  if (payload.type === "array" && payload.description) return null; // any arguments
  const check = ajv.getSchema(`catalogue${message}/payload`);
  return args.length === 1 && check(args[0]) ? null : ajv.errorsText(check.errors);
}
function fits(messages, args) {
  const reasons = messages.map((message) => misfit(message, args));
  assert.ok(reasons.includes(null), `${messages}: ${reasons}\n${JSON.stringify(args).slice(0, 1000)}`);
}

let server, root;
const sockets = [];
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  for (let i = 0; i < 50; i++) writeFileSync(join(root, `file${i}`), "x".repeat(i));
  server = await Server.start({ roots: [root] });
});
after(async () => {
  for (const socket of sockets) socket.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

async function connect(path) {
  const socket = io(server.url + path, { forceNew: true });
  sockets.push(socket);
  await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
  return socket;
}

test("every event that a client may say is handled", async () => {
  for (const { path, event } of operations.filter(({ action }) => action === "receive")) {
    const socket = await connect(path);
    const answer = await new Promise((ok, bad) => {
      socket.timeout(10_000).emit(event, (late, ack) => (late ? bad(new Error(`no answer to ${event}`)) : ok(ack)));
    });
    assert.doesNotMatch(JSON.stringify(answer ?? null), /nothing handles it/, `${event} on ${path}`);
    socket.close();
  }
});

test("what the server says and answers on /jobs is in the catalogue", async () => {
  const socket = await connect("/jobs");
  const heard = [];
  socket.onAny((event, ...args) => heard.push([event, args]));
  const said = new Set();
  const ask = async (event, request, ok = true) => {
    const { message, answers } = operation("receive", "/jobs", event);
    const args = request === undefined ? [] : [request];
    if (ok) fits([message], args);
    said.add(event);
    const ack = await new Promise((resolve, reject) => {
      socket.timeout(10_000).emit(event, ...args, (late, ...ack) => (late ? reject(late) : resolve(ack)));
    });
    fits(answers, ack);
    assert.equal(ack[0].ok, ok, `${event}: ${JSON.stringify(ack)}`);
    return ack[0];
  };

  await ask("jobs:watch", {});
  const { job, sub } = await ask("job:start", { kind: "checksum", args: { path: "." }, logs: true, tags: ["a"], idempotencyKey: "k" });
  assert.equal(sub.ok, true);
  await until("the job is done", () => heard.some(([event]) => event === "job:completed"));
  await ask("job:subscribe", { id: job.id, replay: "all", logs: { tail: 10 } });
  await ask("job:subscribe", { id: job.id, logs: true });
  await ask("job:get", { id: job.id });
  await ask("job:history", { id: job.id });
  await ask("job:logs", { id: job.id, tail: 3 });
  await ask("job:cancel", { id: job.id, reason: "enough" });
  await ask("job:unsubscribe", { id: job.id });
  await ask("jobs:list", { state: "completed", limit: 1 });
  await until("the list has changed", () => heard.some(([event]) => event === "jobs:changed"));
  await ask("jobs:unwatch");
  await ask("job:get", { id: "none" }, false);
  await ask("job:start", { kind: 5 }, false);
  assert.deepEqual([...said].sort(), operations.filter((o) => o.path === "/jobs" && o.action === "receive").map((o) => o.event).sort());
  for (const [event, args] of heard) fits([operation("send", "/jobs", event).message], args);
});

test("what the server says on /testnamespace is in the catalogue", async () => {
  const socket = await connect("/testnamespace");
  const heard = [];
  socket.onAny((event, ...args) => heard.push([event, args]));
  const request = { param: "a" };
  fits([operation("receive", "/testnamespace", "request_for_response").message], [request]);
  socket.emit("request_for_response", request);
  await until("both responses are there", () => heard.length === 2);
  for (const [event, args] of heard) fits([operation("send", "/testnamespace", event).message], args);
});

test("the TypeScript example runs a job to its end", async () => {
  const { stdout } = await promisify(execFile)(process.execPath,
    [here("examples/typescript/build/watch.js"), server.url, "checksum", JSON.stringify({ path: "." })], { timeout: 30_000 });
  assert.match(stdout, /^1 job\.queued\n2 job\.started\n/);
  assert.match(stdout, /job\.completed\ncompleted \{/);
});
