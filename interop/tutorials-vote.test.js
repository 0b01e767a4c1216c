// The tutorial's vote in Chromium: two browsers over each transport. One of them is closed in the middle, the server is
// killed and started again in the middle, and at the end everybody sees the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "./lib/client.js";
import { until } from "./lib/server.js";
import { by, close, crash, live, server, visit } from "./lib/system.js";

const count = async (page, uid) => Number(await by(page, `count-${uid}`).getAttribute("data-count"));
const votes = async () => Object.fromEntries((await server.api("/api/vote")).body.candidates.map((one) => [one.uid, one.count]));

async function agreed(uid, want, ...pages) {
  for (const page of pages) {
    await until(`the page counts ${want}`, async () => (await count(page, uid)) === want).catch(async (error) => {
      throw new Error(`${error.message}, got ${await count(page, uid)}`);
    });
  }
  assert.equal((await votes())[uid], want);
}

test("the candidates are those of the tutorial", async () => {
  const { body } = await server.api("/api/vote");
  assert.deepEqual(body.candidates, [
    { uid: 1, name: "小米", count: 300 },
    { uid: 2, name: "小康", count: 200 },
    { uid: 3, name: "小明", count: 600 },
  ]);
  const page = await visit("/vote/", "websocket");
  await until("the names", async () => /小米.*小康.*小明/s.test(await page.locator("#candidates").textContent()));
  await close(page);
});

for (const transport of ["websocket", "polling", "short", "long", "sse", "raw"]) {
  test(`votes over ${transport}: two browsers agree, before and after a crash`, async () => {
    const one = await visit("/vote/", transport);
    const other = await visit("/vote/", transport);
    const third = await visit("/vote/", "websocket");
    for (const page of [one, other, third]) await live(page);
    let want = (await votes())["2"];
    await agreed("2", want, one, other, third);

    for (let i = 0; i < 5; i++) {
      await by(one, "vote-2").click();
      await by(other, "vote-2").click();
    }
    want += 10;
    await agreed("2", want, one, other, third);

    // A browser that is closed in the middle of its votes costs nobody anything.
    const leaver = await visit("/vote/", transport);
    await live(leaver);
    await by(leaver, "vote-2").click();
    await by(leaver, "vote-2").click({ noWaitAfter: true });
    await leaver.context().close();
    await by(one, "vote-2").click();
    const [least, most] = [want + 1, want + 3];
    await until("the votes have come, and everybody shows them", async () => {
      want = (await votes())["2"];
      const shown = await Promise.all([one, other, third].map((page) => count(page, "2")));
      return want >= least && shown.every((n) => n === want);
    });

    await crash(one, other, third);
    // A vote of the browser that was closed may have been on its way still.
    const kept = (await votes())["2"];
    assert.ok(kept >= want && kept <= most, `${kept} votes after the crash, ${want} before it, want ${most} at most`);
    want = kept;
    await agreed("2", want, one, other, third);
    for (const page of [one, other, third]) await by(page, "vote-2").click();
    await agreed("2", want + 3, one, other, third);
    await close(one, other, third);
  });
}

test("a vote for nobody is refused over each way in, and counts nothing", async () => {
  const before = await votes();
  const { status, headers, body } = await server.api("/api/vote", { method: "POST", json: { uid: 9 } });
  assert.equal(status, 404);
  assert.match(headers.get("content-type"), /^application\/problem\+json/);
  assert.equal(body.code, "not_found");
  for (const transport of ["websocket", "polling"]) {
    const socket = io(`${server.url}/vote`, { transports: [transport], forceNew: true });
    const ack = await socket.timeout(120_000).emitWithAck("vote", { uid: 9 });
    assert.equal(ack.ok, false);
    assert.equal(ack.error.code, "not_found");
    socket.close();
  }
  const page = await visit("/vote/", "raw");
  const answer = await page.evaluate(() => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws/vote");
    socket.onopen = () => socket.send("9");
    socket.onmessage = (event) => resolve(JSON.parse(event.data));
    socket.onerror = reject;
  }));
  assert.match(answer.error, /no candidate/);
  assert.deepEqual(await votes(), before);
  await close(page);
});
