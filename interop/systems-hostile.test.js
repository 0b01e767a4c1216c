// A thousand votes at once over every way in, and what the small systems must bear from one hostile client
// while the others notice nothing: markup, messages of 1 MB, and ten thousand of them a second. (The chat
// has tests of its own.)
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { io, WebSocket } from "./lib/client.js";
import { open } from "./lib/browser.js";
import { until } from "./lib/server.js";
import { browser, by, close as closePages, live, server, visit } from "./lib/system.js";

const MARKUP = '<img src=x onerror="window.hacked = true"><script>window.hacked = true</script>';
const LONG = "x".repeat(1_100_000); // over the limit of a million bytes

async function close(...pages) {
  for (const page of pages) assert.equal(await page.evaluate(() => window.hacked), undefined);
  await closePages(...pages);
}

async function connect(path, transport = "websocket") {
  const socket = io(server.url + path, { transports: [transport], forceNew: true, reconnection: false });
  await new Promise((ok, bad) => socket.on("connect", ok).on("connect_error", bad));
  return socket;
}
async function raw(path) {
  const socket = new WebSocket(server.url.replace("http", "ws") + path);
  await new Promise((ok, bad) => socket.on("open", ok).on("error", bad));
  return socket;
}
const votes = async () => (await server.api("/api/vote")).body.candidates;
const sum = (candidates) => candidates.reduce((total, { count }) => total + count, 0);

test("a thousand votes at once over every way in: the sum is exact, and every page ends with it", async () => {
  const pages = [];
  for (const transport of ["websocket", "polling", "short", "long", "sse", "raw"]) pages.push(await visit("/vote/", transport));
  for (const page of pages) await live(page);
  const before = await votes();
  const each = 20;
  const clients = [];
  for (let i = 0; i < 10; i++) {
    for (const transport of ["websocket", "polling"]) {
      const socket = await connect("/vote", transport);
      clients.push({ close: () => socket.close(), vote: async (uid) => assert.equal((await socket.timeout(120_000).emitWithAck("vote", { uid })).ok, true) });
    }
    const socket = await raw("/ws/vote");
    clients.push({ close: () => socket.close(), vote: async (uid) => socket.send(String(uid)) });
    for (const post of [{ json: (uid) => ({ uid }) }, { json: (uid) => ({ uid: String(uid) }) }]) {
      clients.push({ close() {}, vote: async (uid) => assert.equal((await server.api("/api/vote", { method: "POST", json: post.json(uid) })).status, 200) });
    }
  }
  assert.equal(clients.length * each, 1000);
  // Candidate 1 gets 7 of 20 votes of each client, candidate 2 also 7, and candidate 3 the other 6.
  await Promise.all(clients.flatMap(({ vote }) => Array.from({ length: each }, (_, i) => vote((i % 3) + 1))));
  const want = before.map(({ uid, count }) => count + { 1: 350, 2: 350, 3: 300 }[uid]);
  await until("the sum", async () => sum(await votes()) >= sum(before) + 1000);
  assert.deepEqual((await votes()).map(({ count }) => count), want);
  for (const page of pages) {
    const shown = () => Promise.all([1, 2, 3].map(async (uid) => Number(await by(page, `count-${uid}`).getAttribute("data-count"))));
    await until(`every page ends with ${want}`, async () => String(await shown()) === String(want)).catch(async () => assert.deepEqual(await shown(), want, page.url()));
  }
  for (const client of clients) client.close();
  await close(...pages);
});

/**
 * Runs run(), and says what a limit lets through of what is sent in it. The server's time is within that of the test,
 * so that the figure holds however long a busy machine takes.
 */
async function limited(run) {
  const from = performance.now();
  const result = await run();
  const seconds = (performance.now() - from) / 1000;
  return { result, most: ({ perSecond, burst }) => Math.ceil(burst + perSecond * seconds) };
}

/**
 * Runs a flood, and lets somebody else take turns until it is over. Whoever waited behind the flood would
 * end their first turn after it, so a second turn proves that they did not.
 */
async function during(flood, turn) {
  let ended = false;
  const done = flood().finally(() => (ended = true));
  let turns = 0;
  do {
    await turn();
    turns++;
    await new Promise((next) => setTimeout(next, Math.min(60, 5 * turns)));
  } while (!ended);
  const result = await done;
  assert.ok(turns > 1, "nobody else had a turn before the flood was over");
  return result;
}

for (const way of ["a socket", "a raw WebSocket"]) {
  test(`ten thousand votes of ${way} are limited, and others vote as before`, async () => {
    const page = await visit("/vote/", "websocket");
    await live(page);
    const other = await connect("/vote");
    const before = sum(await votes());
    let own = 0;
    const counted = async () => sum(await votes()) - before - own;
    const hostile = way === "a socket" ? await connect("/vote") : await raw("/ws/vote");
    const { result, most } = await limited(() => during(async () => {
      if (way === "a socket") {
        const acks = await Promise.all(Array.from({ length: 10_000 }, () => new Promise((ok) => hostile.timeout(120_000).emit("vote", { uid: 1 }, (late, ack) => ok(late ?? ack)))));
        assert.ok(acks.some((ack) => ack.error?.code === "too_many_requests"), "it is told why");
        return acks.filter((ack) => ack.ok).length;
      }
      let refused = 0;
      hostile.on("message", (data) => { if (/"error":"nobody may vote so often/.test(data)) refused++; });
      for (let i = 0; i < 10_000; i++) hostile.send("1");
      await until("each vote is counted or refused", async () => (await counted()) + refused >= 10_000 || hostile.readyState === WebSocket.CLOSED);
      assert.ok(refused > 0, "it is told why");
      return null; // nothing confirms a vote that is sent this way
    }, async () => {
      assert.equal((await other.timeout(120_000).emitWithAck("vote", { uid: 2 })).ok, true);
      own++;
    }));
    const flood = await counted();
    const atMost = most({ perSecond: 20, burst: 100 });
    assert.ok(flood >= 100 && flood <= atMost, `${flood} votes of the flood count, want 100 to ${atMost}`);
    assert.equal(result ?? flood, flood, "what is confirmed counts");
    await until("the page has all of it", async () => {
      const shown = await Promise.all([1, 2, 3].map(async (uid) => Number(await by(page, `count-${uid}`).getAttribute("data-count"))));
      return shown.reduce((a, b) => a + b) === sum(await votes());
    });
    if (hostile.close) hostile.close();
    other.close();
    await close(page);
  });
}

test("ten thousand echoes of one client hold nobody else up", async () => {
  const page = await visit("/echo/", "websocket");
  await live(page);
  const other = await connect("/");
  const flood = new Worker(new URL("./lib/flood.js", import.meta.url), { workerData: { url: server.url } });
  assert.deepEqual(await once(flood, "message"), ["begun"]);
  await during(async () => assert.deepEqual(await once(flood, "message"), ["done"]), async () => {
    assert.deepEqual(await other.timeout(120_000).emitWithAck("echo", "calm"), "calm");
  });
  await by(page, "text").fill(MARKUP);
  await by(page, "send-text").click();
  await until("the echo", async () => (await by(page, "echo-line").allTextContents()).some((line) => line.includes(MARKUP) && / ms$/.test(line)));
  assert.equal(await page.locator("#log img, #log script").count(), 0);
  await flood.terminate();
  other.close();
  await close(page);
});

test("tasks are limited for each client: live ones with an answer, jobs with a refusal", async () => {
  const hostile = await connect("/testnamespace");
  const codes = [];
  hostile.on("response", ({ code }) => codes.push(code));
  const { result: acks, most } = await limited(() => {
    for (let i = 0; i < 1000; i++) hostile.emit("request_for_response", { param: MARKUP });
    return Promise.all(Array.from({ length: 1000 }, () => hostile.timeout(120_000).emitWithAck("request_for_job", { param: MARKUP })));
  });
  const started = acks.filter(({ ok }) => ok);
  const jobs = most({ perSecond: 1 / 5, burst: 10 });
  assert.ok(started.length >= 10 && started.length <= jobs, `${started.length} jobs, want 10 to ${jobs}`);
  assert.ok(acks.filter(({ ok }) => !ok).every(({ error }) => error.code === "too_many_requests" && error.detail.length > 20));
  // A hundred live ones may be under way, for five seconds each. One that is not refused has two answers.
  const tasks = most({ perSecond: 100 / 5, burst: 100 });
  const refused = () => codes.filter((code) => code === "429").length;
  await until("all answers", () => codes.length === refused() + 2 * (1000 - refused()));
  assert.ok(1000 - refused() <= tasks, `${1000 - refused()} live tasks were started, want ${tasks} at most`);

  // What somebody else asks for is answered at once, and markup is shown as text.
  const page = await visit("/task/", "websocket");
  await live(page);
  await by(page, "param").fill(MARKUP);
  await by(page, "run-live").click();
  await until("the answer", async () => (await by(page, "answer").allTextContents()).some((text) => text.includes("start to process")));
  await by(page, "run-job").click();
  await until("the job is listed by its markup", async () => (await by(page, "job-link").allTextContents()).some((text) => text.includes(MARKUP)));
  assert.equal(await page.locator(".task img, .task script, #answers img").count(), 0);
  await page.goto(`${server.url}/jobs/${started[0].id}`);
  await until("the job's own page shows it as text", async () => (await page.locator("main").textContent()).includes(MARKUP));
  assert.equal(await page.locator("main img, main script").count(), 0);
  for (const { id } of started) await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
  hostile.close();
  await close(page);
});

test("a message of over a million bytes ends that client with a reason, and no other", async () => {
  const witness = await connect("/");
  for (const [path, event, payload] of [["/", "echo", LONG], ["/vote", "vote", { uid: LONG }], ["/testnamespace", "request_for_response", { param: LONG }], ["/compare", "compare:open", { rate: 1, size: 64, pad: LONG }]]) {
    for (const transport of ["websocket", "polling"]) {
      const socket = await connect(path, transport);
      const reason = new Promise((ok) => socket.on("disconnect", (why) => ok(why)));
      socket.emit(event, payload);
      assert.match(await Promise.race([reason, new Promise((ok) => setTimeout(ok, 120_000, "no end"))]), /transport/, `${event} over ${transport}`);
    }
  }
  for (const path of ["/ws/echo", "/ws/vote", "/ws/chat"]) {
    const socket = await raw(path);
    const closed = new Promise((ok) => socket.on("close", (code, reason) => ok([code, String(reason)])));
    socket.on("error", () => {});
    socket.send(LONG);
    const [code, reason] = await closed;
    assert.equal(code, 1009, path);
    assert.match(reason, /larger than [0-9]+ bytes/, path);
  }
  const { status, body } = await server.api("/api/vote", { method: "POST", json: { uid: LONG } });
  assert.equal(status, 413);
  assert.equal(body.code, "too_large");
  assert.deepEqual(await witness.timeout(120_000).emitWithAck("echo", "still here"), "still here");
  witness.close();
});

test("markup in names of events, in refusals and in what comes back is text on the console", async () => {
  const page = await open(browser, `${server.url}/console/#${new URLSearchParams({ ns: "/", event: MARKUP, args: JSON.stringify([MARKUP]), ack: "1" })}`);
  await by(page, "emit").click();
  await until("the refusal", async () => (await by(page, "log-line").allTextContents()).some((line) => line.includes(MARKUP)));
  await by(page, "namespace").fill(`/${MARKUP}`);
  await by(page, "connect").click();
  await until("the refusal", async () => (await by(page, "log-line").allTextContents()).some((line) => /refused/.test(line) && line.includes(MARKUP)));
  assert.equal(await page.locator("main img, main script").count(), 0);
  await close(page);
});

test("the comparison takes no markup from its address, and no more runs than there is room for", async () => {
  const page = await open(browser, `${server.url}/compare/?${new URLSearchParams({ rate: MARKUP, size: "1e9", poll: "-1" })}`);
  await live(page);
  assert.deepEqual(await Promise.all(["rate", "size"].map((id) => by(page, id).inputValue())), ["10", "256"]);
  const sockets = await Promise.all(Array.from({ length: 70 }, () => connect("/compare")));
  const acks = await Promise.all(sockets.map((socket) => socket.timeout(120_000).emitWithAck("compare:open", { rate: 1, size: 64 })));
  assert.equal(acks.filter(({ ok }) => ok).length, 63, "the page has one of the 64");
  assert.ok(acks.filter(({ ok }) => !ok).every(({ error }) => error.code === "too_many_requests"));
  for (const socket of sockets) socket.close();
  await until("the page goes on", async () => (await page.evaluate(() => window.comparison.tracks.get("websocket").numbers.length)) > 20);
  await close(page);
});

test("a page on another port says nothing in the chat, by whatever a page may ask; a person's link does", async () => {
  const said = async () => (await server.api("/get/msg?index=0")).body.data;
  const before = (await said()).length;
  // Nothing here is the product's: an image, a form and a fetch need no permission of the server that they are for.
  const elsewhere = createServer((req, res) => {
    res.setHeader("content-type", "text/html");
    res.end(`<!doctype html><title>elsewhere</title>
      <img src="${server.url}/send/msg?text=image"><img src="${server.url}/send/message?text=image">
      <img referrerpolicy="no-referrer" src="${server.url}/send/msg?text=hidden">
      <iframe src="${server.url}/send/msg?text=frame"></iframe>
      <a href="${server.url}/send/msg?text=link">link</a>
      <form method="post" target="answer" action="${server.url}/send_msg/"><input name="content" value="form"></form><iframe name="answer"></iframe>`);
  }).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  try {
    const page = await open(browser, `http://127.0.0.1:${elsewhere.address().port}/`);
    const answered = page.waitForResponse((response) => response.url().endsWith("/send_msg/"));
    await page.evaluate(async (url) => {
      document.querySelector("form").submit();
      await fetch(`${url}/send/msg?text=fetch`, { mode: "no-cors" });
      await fetch(`${url}/send_msg/`, { mode: "no-cors", method: "POST", body: new URLSearchParams({ content: "fetch" }) });
    }, server.url);
    assert.equal((await answered).status(), 403);
    await page.click("a");
    await page.waitForURL(`${server.url}/**`);
    assert.match(await page.textContent("body"), /"forbidden"/);
    await page.context().close();
    assert.equal((await said()).length, before, "a page of another port has said something");

    // The address bar is a person's.
    const typed = await open(browser, `${server.url}/send/msg?text=typed`);
    assert.match(await typed.textContent("body"), /"status":true/);
    await close(typed);
    assert.deepEqual((await said()).slice(before), ["typed"]);
  } finally {
    elsewhere.close();
  }
});
