// Bad input: each has a clear error, and nobody else notices.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { Server, TERMINAL } from "./lib/server.js";

let server, root, witness, witnessLost;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  server = await Server.start({ roots: [root], args: ["--max-upload", "1MiB"] });
  // Somebody who is connected all the time, and must stay so.
  witness = io(`${server.url}/jobs`, { transports: ["websocket"], forceNew: true });
  witness.on("disconnect", (reason) => (witnessLost = reason));
  await new Promise((ok, bad) => witness.on("connect", ok).on("connect_error", bad));
});
after(async () => {
  witness?.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

const ask = (event, payload) => new Promise((ok) => witness.timeout(120_000).emit(event, payload, (err, ack) => ok(err ?? ack)));

for (const [name, event, payload, code, words] of [
  ["an unknown kind", "job:start", { kind: "no.such" }, "bad_request", /checksum/],
  ["a kind that is a number", "job:start", { kind: 7 }, "bad_request", /kind/],
  ["an unknown argument", "job:start", { kind: "checksum", args: { path: ".", colour: 1 } }, "bad_request", /colour/],
  ["an argument of the wrong type", "job:start", { kind: "checksum", args: { path: 5 } }, "bad_request", /path/],
  ["an unknown field", "job:start", { kind: "checksum", args: { path: "." }, colour: 1 }, "bad_request", /colour/],
  ["a path outside of the roots", "job:start", { kind: "checksum", args: { path: "/etc" } }, "bad_request", /root/],
  ["a path that climbs out", "job:start", { kind: "checksum", args: { path: "../../etc" } }, "bad_request", /root/],
  ["neither upload nor path", "job:start", { kind: "csv.profile", args: {} }, "bad_request", /upload/],
  ["an upload that is not there", "job:start", { kind: "csv.profile", args: { upload: "nope.csv" } }, "not_found|bad_request", /upload/],
  ["an id with a dot", "job:get", { id: "a.b" }, "bad_request", /id/],
  ["an id with a star", "job:subscribe", { id: "*" }, "bad_request", /id/],
  ["an id with a star to start", "job:start", { kind: "checksum", args: { path: "." }, id: "ev.*" }, "bad_request", /id/],
  ["a job that is not there", "job:cancel", { id: "nope" }, "not_found", /job/i],
  ["a payload that is no object", "job:get", "hello", "bad_request", /object/],
  ["a limit out of range", "job:subscribe", { id: "x", limit: 5000 }, "bad_request", /limit/],
]) {
  test(`${name} is refused, over Socket.IO`, async () => {
    const ack = await ask(event, payload);
    assert.equal(ack.ok, false, JSON.stringify(ack));
    assert.match(ack.error.code, new RegExp(`^(${code})$`), JSON.stringify(ack));
    assert.match(JSON.stringify(ack.error), words);
  });
}

test("an unknown event that asks for an answer gets an error", async () => {
  const ack = await ask("no:such:event", {});
  assert.equal(ack.ok, false, JSON.stringify(ack));
});

test("a symbolic link does not lead out of the root", async () => {
  symlinkSync("/etc", join(root, "link"));
  const ack = await ask("job:start", { kind: "checksum", args: { path: "link" } });
  if (ack.ok) {
    const job = await server.waitFor(ack.job.id, TERMINAL);
    assert.notEqual(job.state === "completed" && job.result.files > 0, true, JSON.stringify(job));
  } else {
    assert.equal(ack.error.code, "bad_request");
  }
  rmSync(join(root, "link"));
});

for (const [name, path, init, status] of [
  ["an unknown kind", "/api/jobs", { method: "POST", json: { kind: "no.such" } }, 400],
  ["a body that is not JSON", "/api/jobs", { method: "POST", body: "{", headers: { "content-type": "application/json" } }, 400],
  ["an id with a dot", "/api/jobs/a.b", {}, 400],
  ["an id with a star", "/api/jobs/*/events", {}, 400],
  ["a job that is not there", "/api/jobs/nope/result", {}, 404],
  ["a wait that is no time", "/api/jobs/nope/events?wait=soon", {}, 400],
  ["an upload over the limit", "/api/uploads/big.csv", { method: "PUT", body: randomBytes(2 << 20) }, 413],
  ["an upload with a bad name", "/api/uploads/a%2Fb", { method: "PUT", body: "x" }, 400],
  ["a path under /api that is nothing", "/api/nothing", {}, 404],
  ["a method that is not served", "/api/jobs", { method: "DELETE" }, 405],
  ["a request from another origin", "/api/jobs", { method: "POST", json: { kind: "checksum", args: { path: "." } }, headers: { origin: "http://evil.example", "sec-fetch-site": "cross-site" } }, 403],
]) {
  test(`${name} is refused, over HTTP`, async () => {
    const { status: got, headers, body } = await server.api(path, init);
    assert.equal(got, status, JSON.stringify(body));
    assert.match(headers.get("content-type"), /^application\/problem\+json/);
    assert.ok(body.title && body.code, JSON.stringify(body));
  });
}

test("a CSV file that is not one fails with a sentence that says so", async () => {
  writeFileSync(join(root, "image.csv"), Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n\0\0"), randomBytes(5000)]));
  const { id } = await server.startJob("csv.profile", { path: "image.csv" });
  const job = await server.waitFor(id, TERMINAL);
  assert.equal(job.state, "failed");
  assert.equal(job.error.type, "NotCSV");
  assert.ok(job.error.message.length > 20, job.error.message);
});

// Raw Engine.IO over HTTP: what a stock client would never send.
async function session(packets) {
  const at = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(at)).text()).slice(1));
  const post = (body) => fetch(`${at}&sid=${sid}`, { method: "POST", body });
  const poll = () => fetch(`${at}&sid=${sid}`);
  for (const packet of packets) await post(packet);
  for (let i = 0; i < 5; i++) {
    const answer = await poll();
    const text = await answer.text();
    if (answer.status === 400 || /(^|\x1e)1($|\x1e)/.test(text)) return "closed";
  }
  return "open";
}

for (const [name, packets] of [
  ["a frame that is not a packet", ["x-garbage"]],
  ["a Socket.IO packet of no known type", ["40", "49"]],
  ["an event before CONNECT", ['42["job:start",{}]']],
  ["an event to a namespace without CONNECT", ["40/testnamespace,", '42/jobs,["jobs:list",{}]']],
  ["a second CONNECT", ["40/jobs,", "40/jobs,"]],
  ["more attachments than memory holds", ["40", '4599999999999999-["echo","x"]']],
  ["an event without a name", ["40/jobs,", "42/jobs,[]"]],
  ["an event that is not JSON", ["40/jobs,", '42/jobs,["job:get",{]']],
]) {
  test(`${name} closes that session`, async () => assert.equal(await session(packets), "closed"));
}

test("an unknown namespace is refused by name", async () => {
  const socket = io(`${server.url}/nowhere`, { forceNew: true });
  const error = await new Promise((ok) => socket.on("connect_error", ok));
  assert.equal(error.message, "Invalid namespace");
  socket.close();
});

test("another origin's page may not connect", async () => {
  for (const [path, init] of [
    ["/socket.io/?EIO=4&transport=polling", { headers: { origin: "http://evil.example" } }],
  ]) {
    const { status, body } = await server.api(path, init);
    assert.equal(status, 403);
    assert.equal(body.code, 4);
    assert.match(body.message, /origin/i);
  }
});

/** Sends a WebSocket handshake of which every line is given, and returns the head of the answer and its body. */
function handshake(path, lines) {
  const { hostname, port } = new URL(server.url);
  return new Promise((ok, bad) => {
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.setEncoding("latin1");
    socket.on("error", bad);
    socket.on("data", (chunk) => {
      answer += chunk;
      const [head, body] = answer.split("\r\n\r\n");
      if (body === undefined) return;
      const length = Number(head.match(/^content-length: (\d+)/im)?.[1] ?? 0);
      if (body.length < length) return;
      ok({ head, body: body.slice(0, length), status: Number(head.split(" ")[1]) });
      socket.destroy();
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n${lines.join("\r\n")}\r\n\r\n`);
  });
}

const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const version = "Sec-WebSocket-Version: 13";
for (const path of ["/socket.io/?EIO=4&transport=websocket", "/socket.io/?EIO=3&transport=websocket", "/ws/echo", "/ws/vote", "/ws/chat"]) {
  for (const [name, lines, status] of [
    ["two lines of Connection", ["Connection: keep-alive", ...upgrade, key, version], 101],
    ["a tab in the list of Connection", ["Connection: keep-alive,\tUpgrade", "Upgrade: websocket", key, version], 101],
    ["two keys", [...upgrade, key, key, version], 400],
    ["a key that is not base64", [...upgrade, key.replace("dGhl", "!!!!"), version], 400],
    ["two versions", [...upgrade, key, version, version], 400],
  ]) {
    test(`${name}: ${status} for a WebSocket at ${path}`, async () => {
      const answer = await handshake(path, lines);
      assert.equal(answer.status, status, answer.head + answer.body);
      if (status === 101) return;
      assert.match(answer.head, /^x-content-type-options: nosniff$/im);
      const body = JSON.parse(answer.body);
      assert.deepEqual(path.startsWith("/ws/") ? [body.code, body.status] : [body.code], path.startsWith("/ws/") ? ["bad_request", 400] : [3]);
      assert.match(body.message ?? body.detail, /Sec-WebSocket-(Key|Version) must be there once/);
    });
  }
}

test("nobody else has noticed any of it", async () => {
  assert.equal(witnessLost, undefined, "another client was disconnected");
  assert.equal((await server.api("/healthz")).status, 200);
});
