// docs/asyncapi.json, which is made from events/, is valid, and true of the real server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import specs from "@asyncapi/specs";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { io } from "./lib/client.js";
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
  symlinkSync("file1", join(root, "link")); // which the checksum says a word about
  server = await Server.start({ roots: [root] });
});
after(async () => {
  for (const socket of sockets) socket.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

// What was said in these tests, as "receive /vote vote", and what of it was not as the catalogue has it.
const said = new Set();
const wrong = [];
function note(action, path, event, args) {
  try {
    const { message } = operation(action, path, event);
    if (args) fits([message], args);
    said.add(`${action} ${path} ${event}`);
  } catch (error) {
    wrong.push(`${action} ${path} ${event}: ${error.message}`);
  }
}

/** A client whose every word, and every word that it hears, is held against the catalogue. */
async function connect(path, auth) {
  const channel = Object.values(catalogue.channels).find(({ address }) => address === path);
  if (auth) {
    const check = ajv.compile({ $ref: `catalogue#/channels/${path.slice(1)}/messages/auth/payload` });
    assert.ok(channel.messages.auth && check(auth), `auth of ${path}: ${ajv.errorsText(check.errors)}`);
  }
  const socket = io(server.url + path, { forceNew: true, auth });
  sockets.push(socket);
  const heard = [];
  socket.onAny((event, ...args) => {
    if (args[0]?.type === "job.event" && event !== "job:event") return; // a custom event, under its own name
    const ack = typeof args.at(-1) === "function" ? args.pop() : null;
    heard.push([event, ...args]);
    note("send", path, event, args);
    try {
      assert.equal(operation("send", path, event).answers.length, ack ? 1 : 0, "an acknowledgement is asked for, or is not");
    } catch (error) {
      wrong.push(`send ${path} ${event}: ${error.message}`);
    }
    ack?.();
  });
  await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
  return {
    heard,
    close: () => socket.close(),
    hears: (event, what = () => true) => until(`${event} on ${path}`, () => heard.find(([name, arg]) => name === event && what(arg))),
    tell(event, ...args) {
      note("receive", path, event, args);
      socket.emit(event, ...args);
    },
    /** What an event is acknowledged with, as a list. */
    answer: (event, ...args) => new Promise((resolve, reject) => {
      socket.timeout(120_000).emit(event, ...args, (late, ...ack) => (late ? reject(new Error(`no answer to ${event}`)) : resolve(ack)));
    }),
    /** Asks, and returns the answer. ok false: it must be refused, and the request need not fit. */
    async ask(event, request, ok = true) {
      const args = request === undefined ? [] : [request];
      const { answers } = operation("receive", path, event);
      note("receive", path, event, ok ? args : undefined);
      const ack = await this.answer(event, ...args);
      fits(answers.filter((one) => /refusal$/.test(one) !== ok), ack);
      return ack[0];
    },
  };
}

test("every event that a client may say is handled, and refused in the catalogue's words where it does not fit", async () => {
  for (const { path, event, answers, message } of operations.filter(({ action }) => action === "receive")) {
    const client = await connect(path);
    const { payload } = lookup(message);
    const ack = await client.answer(event, 5);
    assert.doesNotMatch(JSON.stringify(ack), /nothing handles it/, `${event} on ${path}`);
    if (answers.length > 0) fits(payload?.$ref ? answers.filter((one) => /refusal$/.test(one)) : answers, ack);
    client.close();
  }
});

test("namespace /", async () => {
  const client = await connect("/");
  for (const event of ["message", "echo"]) {
    assert.deepEqual(await client.ask(event, { any: ["thing"] }), { any: ["thing"] });
    await client.hears(event);
  }
  client.close();
});

test("namespace /vote", async () => {
  const client = await connect("/vote");
  await client.hears("votes");
  for (const uid of [1, "1"]) {
    const { candidate } = await client.ask("vote", { uid });
    await client.hears("vote:changed", ({ count }) => count === candidate.count);
  }
  await client.ask("vote", { uid: 9 }, false);
  client.close();
});

test("namespace /chat", async () => {
  const anonymous = await connect("/chat");
  await anonymous.ask("chat:message", { chat: "to all" });
  await anonymous.hears("chat:message");
  const auth = { nickname: "Ada", token: "a random secret of Ada's own" };
  const ada = await connect("/chat", auth);
  await ada.hears("chat:welcome", ({ nickname }) => nickname === "Ada");
  const tab = await connect("/chat", auth);
  await ada.hears("chat:history");
  await ada.hears("chat:people", ({ people }) => people.includes("Ada"));
  const bob = await connect("/chat", { nickname: "Bob" });
  await ada.hears("chat:joined", ({ user }) => user === "Bob");
  for (const client of [ada, bob]) await client.ask("chat:join", { room: "engine" });
  bob.tell("chat:typing", { room: "engine" });
  await ada.hears("chat:typing");
  await bob.ask("chat:message", { room: "engine", chat: "hello" });
  await ada.hears("chat:message", ({ chat }) => chat === "hello");
  assert.equal((await ada.ask("chat:private", { to_user: "Bob", chat: "psst" })).delivered, true);
  await bob.hears("chat:private");
  assert.equal((await ada.ask("chat:private", { to_user: "Nobody", chat: "later" })).delivered, false);
  await bob.ask("chat:leave", { room: "engine" });
  await ada.hears("chat:left");
  await ada.ask("chat:message", { room: "a room of others", chat: "x" }, false);
  for (const client of [anonymous, ada, tab, bob]) client.close();
});

test("namespace /compare", async () => {
  const client = await connect("/compare");
  const { run } = await client.ask("compare:open", { rate: 50, size: 256 });
  const events = await connect("/compare", { run, after: 0 });
  await events.hears("compare:event");
  await client.ask("compare:set", { rate: 1, size: 64 });
  await client.ask("compare:clock");
  await client.ask("compare:figures");
  await client.ask("compare:set", { rate: 0, size: 64 }, false);
  for (const one of [events, client]) one.close();
});

test("namespace /jobs", async () => {
  const client = await connect("/jobs");
  await client.ask("jobs:watch", {});
  const { job, sub } = await client.ask("job:start", { kind: "checksum", args: { path: "." }, logs: true, tags: ["a"], idempotencyKey: "k" });
  assert.equal(sub.ok, true);
  await client.hears("job:completed");
  // A busy machine may have a short job's steps in the acknowledgement, or its text too late to be heard live.
  const live = (event) => client.heard.some(([name]) => name === event);
  for (let i = 0; i < 50 && !(live("job:log") && live("job:step")); i++) {
    const { job } = await client.ask("job:start", { kind: "checksum", args: { path: "." }, logs: true });
    await client.hears("job:completed", ({ jobId }) => jobId === job.id);
  }
  await client.hears("job:log");
  await client.ask("job:subscribe", { id: job.id, replay: "all", logs: { tail: 10 } });
  await client.ask("job:subscribe", { id: job.id, logs: true });
  await client.ask("job:get", { id: job.id });
  await client.ask("job:history", { id: job.id });
  await client.ask("job:logs", { id: job.id, tail: 3 });
  await client.ask("job:cancel", { id: job.id, reason: "enough" });
  await client.ask("job:unsubscribe", { id: job.id });
  await client.ask("jobs:list", { state: "completed", q: "checksum", sort: "title", limit: 1 });
  await client.hears("jobs:changed");
  writeFileSync(join(root, "not.csv"), Buffer.from([0, 1, 2, 3, 0xff]));
  // A job that has failed before it is subscribed to is told in the acknowledgement, and not live.
  for (let told = true; told; ) {
    told = (await client.ask("job:start", { kind: "csv.profile", args: { path: "not.csv" } })).sub.done;
  }
  await client.hears("job:failed");
  const long = (await client.ask("job:start", { kind: "task", args: { param: "a" } })).job;
  await client.hears("job:progress", ({ jobId, id }) => (jobId ?? id) === long.id);
  await client.ask("job:cancel", { id: long.id, reason: "enough" });
  await client.hears("job:cancelled");
  // A server that stops hands its jobs back when its pages are gone already, so that this event goes to
  // the clients of other nodes only. It is the line of the log, and every log begins with one.
  const { events: [first] } = await client.ask("job:history", { id: job.id });
  assert.equal(first.type, "job.queued");
  note("send", "/jobs", "job:queued", [first]);
  await client.ask("queue:pause", { queue: "slow" });
  const queued = (await client.ask("job:start", { kind: "test.says", args: { hear: true }, queue: "slow" })).job;
  await client.hears("job:position", ({ id }) => id === queued.id);
  await client.ask("queues:list");
  await client.ask("queue:resume", { queue: "slow" });
  await client.ask("job:send", { id: queued.id, name: "tell", payload: "a" });
  await client.hears("job:event", ({ data }) => data.payload === "a");
  await client.hears("job:message");
  await client.ask("job:send", { id: queued.id, name: "tell", payload: "end" });
  await client.hears("job:completed", ({ jobId }) => jobId === queued.id);
  await client.ask("job:retry", { id: queued.id });
  await client.ask("job:subscribe", { id: queued.id });
  await client.ask("job:remove", { id: queued.id });
  await client.hears("job:removed", ({ jobId }) => jobId === queued.id);
  await client.ask("job:remove", { id: queued.id }, false);
  await client.ask("job:start", { kind: "test.says", args: { pages: 60, quiet: 6000 } });
  await client.hears("job:values");
  await client.hears("job:stalled");
  await client.ask("job:start", { kind: "test.panic", args: {}, maxAttempts: 20, backoff: { type: "fixed", delayMs: 200 } });
  await client.hears("job:retrying");
  const later = (await client.ask("job:start", { kind: "checksum", args: { path: "." }, delayMs: 100 })).job;
  await client.hears("job:completed", ({ jobId }) => jobId === later.id);
  // It is the first line of a log, which always comes within an answer.
  const { events: [waits] } = await client.ask("job:history", { id: later.id });
  assert.equal(waits.type, "job.scheduled");
  note("send", "/jobs", "job:scheduled", [waits]);
  await client.ask("schedule:put", { id: "nightly", cron: "30 4 * * *", timezone: "Europe/Berlin", start: { kind: "checksum", args: { path: "." } } });
  await client.ask("schedule:list");
  await client.ask("schedule:run", { id: "nightly" });
  await client.ask("schedule:remove", { id: "nightly" });
  await client.ask("schedule:remove", { id: "nightly" }, false);
  await client.ask("jobs:unwatch");
  await client.ask("jobs:kinds");
  await client.ask("job:get", { id: "none" }, false);
  client.close();
});

test("namespace /testnamespace", async () => {
  const client = await connect("/testnamespace");
  client.tell("request_for_response", { param: "a" });
  await client.hears("response", ({ msg }) => msg === "processed");
  await client.ask("request_for_job", { param: "a" });
  client.close();
});

test("all that was said is as the catalogue has it, and all that the catalogue has was said", () => {
  assert.deepEqual(wrong, []);
  const all = operations.map(({ action, path, event }) => `${action} ${path} ${event}`);
  assert.deepEqual(all.filter((one) => !said.has(one)), [], "no test makes the real server and a client say these");
});

test("the TypeScript example runs a job to its end", async () => {
  const { stdout } = await promisify(execFile)(process.execPath,
    [here("examples/typescript/build/watch.js"), server.url, "checksum", JSON.stringify({ path: "." })], { timeout: 120_000 });
  assert.match(stdout, /^1 job\.queued\n2 job\.started\n/);
  assert.match(stdout, /job\.completed\ncompleted \{/);
});
