// The console in Chromium: any namespace, any auth, any event, and what comes in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./lib/browser.js";
import { io } from "./lib/client.js";
import { until } from "./lib/server.js";
import { browser, by, server } from "./lib/system.js";

const log = (page) => by(page, "log-line").allTextContents();
const logged = (page, pattern) => until(`a line ${pattern}`, async () => (await log(page)).some((line) => pattern.test(line)))
  .catch(async (error) => { throw new Error(`${error.message}, got\n${(await log(page)).join("\n")}`); });
const problem = (page) => until("a sentence at a field", async () => (await by(page, "error").allTextContents()).join(" "));

async function set(page, fields) {
  for (const [id, value] of Object.entries(fields)) await by(page, id).fill(value);
}

for (const transport of ["auto", "websocket", "polling"]) {
  test(`any event over ${transport}: emitted, acknowledged, and shown as it came`, async () => {
    const page = await open(browser, `${server.url}/console/?transport=${transport}`);
    assert.equal(await by(page, "badge").getAttribute("data-state"), "idle");
    await by(page, "connect").click();
    await logged(page, /connected.*\//);
    await set(page, { event: "echo", args: '["Grüße", 42, {"deep": [true, null]}, "<b>markup</b>"]' });
    await by(page, "ack").check();
    await by(page, "emit").click();
    await logged(page, /→.*echo "Grüße", 42, \{"deep": \[true, null\]\}, "<b>markup<\/b>"/);
    await logged(page, /←.*echo "Grüße", 42, \{"deep": \[true, null\]\}, "<b>markup<\/b>"/);
    await logged(page, /✓.*echo, [0-9.]+ ms .*"Grüße"/);
    assert.equal(await page.locator("#log b").count(), 0);

    await by(page, "ack").uncheck();
    await set(page, { args: '[{"$hex": "00ff10"}, {"in": {"$hex": ""}}]' });
    await by(page, "emit").click();
    await logged(page, /←.*<3 bytes: 00 ff 10>, \{"in": <0 bytes>\}/);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

for (const transport of ["auto", "websocket", "polling"]) {
  test(`two emits over ${transport} are of one socket, which keeps what it has subscribed to`, async () => {
    const { id } = await server.startJob("test.flood", { lines: 20_000, burst: 1, every: 20 }); // until it is cancelled
    const page = await open(browser, `${server.url}/console/?transport=${transport}`);
    await set(page, { namespace: "/jobs", event: "job:subscribe", args: JSON.stringify([{ id, replay: "none" }]) });
    await by(page, "emit").click();
    await logged(page, /✓.*job:subscribe/);
    await set(page, { event: "jobs:list", args: '[{"limit": 1}]' });
    await by(page, "emit").click();
    await logged(page, /✓.*jobs:list/);
    await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
    await logged(page, /←.*job:cancelled/);
    assert.equal((await log(page)).filter((line) => /^\S*connected\/jobs/.test(line)).length, 1, (await log(page)).join("\n"));
    // Another namespace, or another auth, is another socket.
    await set(page, { auth: '{"other": true}' });
    await by(page, "emit").click();
    await until("a second socket", async () => (await log(page)).filter((line) => /connected\/jobs/.test(line)).length === 2);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

test("another namespace with auth, and why one refuses", async () => {
  const page = await open(browser, `${server.url}/console/`);
  await set(page, { namespace: "/chat", auth: '{"nickname": "console"}' });
  await by(page, "connect").click();
  await logged(page, /connected.*\/chat/);
  await logged(page, /←.*chat:people/);
  await set(page, { namespace: "/nowhere", auth: "" });
  await by(page, "connect").click();
  await logged(page, /refused.*\/nowhere.*Invalid namespace/);
  assert.equal(await by(page, "badge").getAttribute("data-state"), "refused");
  await set(page, { namespace: "/chat", auth: `{"nickname": "${"x".repeat(500)}"}` });
  await by(page, "connect").click();
  await logged(page, /refused.*\/chat[^]*"code": "nickname_too_long"/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

for (const [path, message, back] of [
  ["/ws/echo", "Grüße <b>小米</b>", /←.*text "Grüße <b>小米<\/b>"/],
  ["/ws/echo", '{"$hex": "00ff10"}', /←.*bytes <3 bytes: 00 ff 10>/],
  ["/ws/vote", "3", /←.*text "\{\\"uid\\":3,\\"name\\":\\"小明\\"/],
  ["/ws/vote", "9", /←.*text "\{\\"error\\":/],
  ["/ws/chat", "hello from the console", /←.*text "hello from the console"/],
  ["/ws/chat/console", "hello by name", /←.*from_user.*console.*hello by name/],
  ["/ws/private/console", '{"to_user":"Nobody","chat":"hi"}', /←.*Nobody is not here/],
]) {
  test(`a raw WebSocket at ${path}: ${message} is sent, and what comes back is shown`, async () => {
    const page = await open(browser, `${server.url}/console/?transport=raw`);
    assert.equal(await by(page, "event").isVisible(), false);
    assert.equal(await by(page, "badge").getAttribute("data-state"), "idle");
    await set(page, { namespace: path, args: message });
    await by(page, "connect").click();
    await logged(page, new RegExp(`connected${path}`));
    await by(page, "emit").click();
    await logged(page, back);
    assert.ok((await log(page)).some((line) => /→/.test(line)), "what was sent is shown");
    assert.equal(await page.locator("#log b").count(), 0);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

test("a raw WebSocket that refuses, a path that is none, and bytes that are none", async () => {
  const page = await open(browser, `${server.url}/console/?transport=raw`);
  await set(page, { namespace: "/ws/vote", args: "x".repeat(5000) });
  await by(page, "emit").click();
  await logged(page, /disconnected.*"code": 1009/);
  await set(page, { namespace: "/ws/nowhere", args: "1" });
  await by(page, "connect").click();
  await logged(page, /no connection.*\/ws\/nowhere/);
  await set(page, { namespace: "/ws/echo" });
  for (const [args, want] of [['{"$hex": "0"}', /pairs of the digits/], ['{"$hex": "00", "more": 1}', /nothing else/]]) {
    await set(page, { args });
    await by(page, "emit").click();
    assert.match(await problem(page), want);
    await set(page, { args: "" });
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a link and the history carry a raw message, beside events", async () => {
  const { body: before } = await server.api("/api/vote");
  const votes = async () => (await server.api("/api/vote")).body.candidates[1].count - before.candidates[1].count;
  const page = await open(browser, `${server.url}/console/#${new URLSearchParams({ ns: "/ws/vote", raw: "1", args: "2" })}`);
  assert.equal(await page.locator("#transport").inputValue(), "raw");
  assert.equal(await by(page, "namespace").inputValue(), "/ws/vote");
  await page.waitForTimeout(500);
  assert.equal(await votes(), 0, "a link sends nothing by itself");
  await by(page, "emit").click();
  await logged(page, /←.*小康/);
  assert.equal(await votes(), 1);
  const copy = await open(browser, page.url());
  assert.deepEqual([await by(copy, "namespace").inputValue(), await by(copy, "args").inputValue()], ["/ws/vote", "2"]);
  await copy.context().close();

  await page.locator("#transport").selectOption("websocket");
  assert.equal(await by(page, "namespace").inputValue(), "/");
  await set(page, { event: "echo", args: '["between"]' });
  await by(page, "emit").click();
  await logged(page, /✓.*echo/);
  await by(page, "replay").nth(1).click(); // the raw one, over its own transport
  await until("a second vote", async () => (await votes()) === 2);
  await by(page, "replay").nth(1).click(); // and the event again
  await until("a second echo", async () => (await log(page)).filter((line) => /←.*"between"/.test(line)).length === 2);
  assert.equal(await by(page, "history-line").count(), 2);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what is not JSON is said at its field, and nothing is emitted", async () => {
  const page = await open(browser, `${server.url}/console/`);
  for (const [id, value, want] of [
    ["args", '[1, 2', /not JSON/], ["args", '{"a": 1}', /put \[ \] around/], ["args", '[{"$hex": "0g"}]', /\$hex/], ["args", '[{"$hex": "00", "more": 1}]', /nothing else/],
    ["event", "", /needs a name/], ["auth", "{", /not JSON/], ["auth", "[1]", /put \{ \} around/], ["event", "connect", /reserved|does not emit/],
  ]) {
    await set(page, { namespace: "/", auth: "", event: "echo", args: "[]", [id]: value });
    await by(page, "emit").click();
    assert.match(await problem(page), want, `${id}: ${value}`);
    assert.equal(await by(page, id).getAttribute("aria-invalid"), "true");
    await set(page, { auth: "", event: "echo", args: "[]" });
    await by(page, "emit").click();
    await until("no error is left", async () => (await by(page, "error").count()) === 0);
  }
  assert.ok(!(await log(page)).some((line) => /→.*0g|→connect/.test(line)));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a link carries a prepared emit, and emits nothing by itself", async () => {
  const { body: before } = await server.api("/api/vote");
  const hash = new URLSearchParams({ ns: "/vote", event: "vote", args: '[{"uid":1}]', ack: "1" });
  const page = await open(browser, `${server.url}/console/?transport=polling#${hash}`);
  assert.equal(await by(page, "namespace").inputValue(), "/vote");
  assert.equal(await by(page, "ack").isChecked(), true);
  await page.waitForTimeout(500);
  assert.deepEqual((await server.api("/api/vote")).body, before);
  await by(page, "emit").click();
  await logged(page, /✓.*vote/);
  const votes = async () => (await server.api("/api/vote")).body.candidates[0].count - before.candidates[0].count;
  assert.equal(await votes(), 1);

  // The history is there after a reload, and its line emits again.
  await set(page, { event: "something else" });
  await page.reload();
  await by(page, "replay").first().click();
  await logged(page, /✓.*vote/);
  assert.equal(await votes(), 2);
  assert.equal(await by(page, "history-line").count(), 1, "the same emit is listed once");

  // What the form holds is in the address.
  const copy = await open(browser, page.url());
  assert.equal(await by(copy, "event").inputValue(), "vote");
  assert.equal(await by(copy, "args").inputValue(), '[{"uid":1}]');
  assert.deepEqual([...page.problems, ...copy.problems], []);
  await copy.context().close();
  await page.context().close();
});

test("the auth is in no history", async () => {
  const page = await open(browser, `${server.url}/console/`);
  await set(page, { auth: '{"token": "s3cret"}' });
  await by(page, "emit").click();
  await logged(page, /✓/);
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage }))).includes("s3cret"));
  await page.context().close();
});

test("a flood is shown as far as a person can read it, and the page stays usable", async () => {
  const page = await open(browser, `${server.url}/console/`);
  await set(page, { namespace: "/chat" });
  await by(page, "connect").click();
  await logged(page, /connected/);
  // One client may say 40 things at once; thirty of them say more than the page shows.
  const sockets = Array.from({ length: 30 }, () => io(`${server.url}/chat`, { forceNew: true, transports: ["websocket"] }));
  let accepted = 0;
  await Promise.all(sockets.flatMap((socket, nth) => Array.from({ length: 40 }, (_, i) => new Promise((resolve) => {
    socket.emit("chat:message", { chat: `flood ${nth} ${i}` }, (ack) => {
      if (ack.ok) accepted++;
      resolve();
    });
  }))));
  for (const socket of sockets) socket.close();
  assert.equal(accepted, 1200);
  await until("the page shows the newest 500", async () => (await by(page, "log-line").count()) === 500);
  await page.waitForTimeout(500);
  assert.equal(await by(page, "log-line").count(), 500);
  await by(page, "clear").click();
  assert.equal(await by(page, "log-line").count(), 0);

  // One long message is cut, where it is shown only.
  await set(page, { namespace: "/", event: "echo", args: JSON.stringify(["x".repeat(300_000)]) });
  await by(page, "emit").click();
  await logged(page, /←.*echo/);
  const longest = Math.max(...(await log(page)).map((line) => line.length));
  assert.ok(longest < 21_000, `a line has ${longest} characters`);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a server that dies is said once, and comes back by itself", async () => {
  const page = await open(browser, `${server.url}/console/?transport=websocket`);
  await by(page, "connect").click();
  await logged(page, /connected/);
  await server.kill();
  await logged(page, /disconnected/);
  await page.waitForTimeout(2000);
  await server.up();
  await until("connected again", async () => (await log(page)).filter((line) => /connected\/ \{/.test(line) && !/disc/.test(line)).length === 2);
  assert.equal((await log(page)).filter((line) => /no connection/.test(line)).length, 1);
  await page.context().close();
});
