// Private words in Chromium, over each transport that has them: whatever dies in the middle, a page shows
// each message once, and none is lost.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "./lib/client.js";
import { by, launch, live, open } from "./lib/browser.js";
import { Server, sleep, until } from "./lib/server.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const secrets = (page) => page.locator(".chat-line.secret [data-part=text]").allTextContents();

/** Opens the chat in a browser's context, as somebody. */
async function enter(page, transport, nickname) {
  page.problems ??= [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(`${server.url}/chat/?transport=${transport}`);
  await live(page);
  await by(page, "nickname").fill(nickname);
  await by(page, "join").click();
  await until("the lobby", async () => (await by(page, "room-title").textContent()) === "lobby");
  await live(page);
  return page;
}

/** A stock client, which comes back soon. */
const client = (auth) => io(`${server.url}/chat`, { forceNew: true, auth, reconnectionDelay: 100, reconnectionDelayMax: 300 });

async function connected(auth) {
  const socket = client(auth);
  await new Promise((resolve, reject) => socket.on("connect", resolve).on("connect_error", reject));
  return socket;
}

const tell = (socket, to, text) => new Promise((resolve) => {
  socket.timeout(120_000).emit("chat:private", { to_user: to, chat: text }, (late, ack) => resolve(late ? { ok: false, late } : ack));
});

for (const transport of ["websocket", "polling", "raw"]) {
  test(`private words over ${transport}: the server killed, a page closed hard, nothing lost or doubled`, async () => {
    const [ada, bob] = [`Ada of ${transport}`, `Bob of ${transport}`];
    const context = await browser.newContext();
    const sender = await connected({ nickname: ada, token: "a token of Ada's own browser" });
    let page = await enter(await context.newPage(), transport, bob);
    const bystander = await enter(await (await browser.newContext()).newPage(), "websocket", `Eve of ${transport}`);

    // Ada talks all the time. What was acknowledged must come; what was not may have been kept.
    const sure = [];
    const asked = [];
    const texts = [];
    let talking = true;
    const talk = (async () => {
      for (let i = 0; talking; i++) {
        const text = `${transport} ${i}`;
        if (sender.connected) {
          const nth = texts.push(text) - 1;
          asked.push(tell(sender, bob, text).then((ack) => ack.ok && sure.push({ text, nth, ...ack })));
        }
        await sleep(70); // below what one may say
      }
    })();
    const shown = new Set();
    const settled = async (what, want) => {
      await until(what, async () => {
        (await secrets(page)).forEach((text) => shown.add(text));
        return want();
      });
      const lines = await secrets(page);
      assert.equal(new Set(lines).size, lines.length, `something is shown twice: ${lines}`);
    };
    // What a page took in its last moments it may not have shown: nobody could see it then. These are words that were
    // not sure yet when the page had shown all that were, and were said before the server noticed that it had gone.
    const closings = []; // {known, closed}: the texts that must have been shown, and how many had been said
    const closeHard = async () => {
      const known = new Set(sure.map(({ text }) => text));
      await settled("all that is sure has come", count(known.size));
      await page.close();
      closings.push({ known, closed: texts.length });
    };
    const noticed = ({ closed }) => Math.min(...sure.filter(({ nth, delivered }) => nth >= closed && !delivered).map(({ nth }) => nth));
    const taken = ({ text, nth, delivered }) => delivered && closings.some((one) => !one.known.has(text) && nth < noticed(one));
    const count = (n) => () => sure.length >= n && sure.slice(0, n).every((one) => shown.has(one.text) || taken(one));

    await settled("ten have come", count(10));
    assert.ok(sure.some(({ delivered }) => delivered), "nothing is said to be delivered");

    await server.kill();
    await until("the page is offline", async () => (await by(page, "badge").getAttribute("data-state")) !== "live");
    await server.up();
    await live(page);
    const again = sure.length + 10;
    await settled("ten more have come", count(again));

    // The page is closed hard, and its browser comes back.
    await closeHard();
    const waits = sure.length + 10;
    await until("ten more are said, and wait", () => sure.length >= waits && noticed(closings.at(-1)) < Infinity);
    page = await enter(await context.newPage(), transport, bob);
    await settled("what waited has come", count(waits));

    // The server dies while words wait for somebody who is not there.
    await closeHard();
    const wait = sure.length + 5;
    await until("some wait", () => sure.length >= wait && noticed(closings.at(-1)) < Infinity);
    await server.kill();
    await server.up();
    talking = false;
    await talk;
    await Promise.all(asked);
    page = await enter(await context.newPage(), transport, bob);
    await settled("all have come", count(sure.length));

    // A new page of the same browser is given nothing again.
    const had = await secrets(page);
    await sleep(500);
    await page.close();
    page = await enter(await context.newPage(), transport, bob);
    await sleep(1000);
    assert.deepEqual(await secrets(page), [], `of ${had.length} some come again`);

    // Each is one message, and nobody else has read any of it.
    const ids = sure.map(({ id }) => id);
    assert.deepEqual(new Set(ids).size, ids.length);
    assert.deepEqual(await secrets(bystander), []);
    assert.deepEqual([...page.problems, ...bystander.problems], []);
    await bystander.context().close();
    await context.close();
  });
}

test("a message is delivered when the other browser shows it, and waits when its connection has died", async () => {
  const sender = await connected({ nickname: "Ada" });
  const context = await browser.newContext();
  const page = await enter(await context.newPage(), "websocket", "Bob");
  const { delivered } = await tell(sender, "Bob", "shown");
  assert.equal(delivered, true);
  await until("it is shown", async () => (await secrets(page)).includes("shown"));

  // The page hangs until a request of its own is answered: it is there, and takes nothing.
  let answer;
  const hangs = new Promise((begun) => page.route("**/hang", (route) => {
    answer = () => route.fulfill({ body: "" });
    begun();
  }));
  const hang = page.evaluate(() => {
    const request = new XMLHttpRequest();
    request.open("GET", "/hang", false); // nothing else runs until the answer
    request.send();
  });
  await hangs;
  assert.equal((await tell(sender, "Bob", "taken late")).delivered, false);
  await answer();
  await hang;
  await until("it comes", async () => (await secrets(page)).includes("taken late"));
  assert.deepEqual(await secrets(page), ["shown", "taken late"]);

  // Somebody else does not get the nickname while words wait for it.
  await page.close();
  await until("Bob has left", async () => (await tell(sender, "Bob", "waits")).delivered === false);
  const thief = await (await browser.newContext()).newPage();
  await thief.goto(`${server.url}/chat/?transport=websocket`);
  await live(thief);
  await by(thief, "nickname").fill("Bob");
  await by(thief, "join").click();
  await until("it is refused in words", async () => /words wait here/i.test(await thief.locator("#nickname-error").textContent()));
  const back = await enter(await context.newPage(), "websocket", "Bob");
  await until("what waited", async () => (await secrets(back)).includes("waits"));
  assert.deepEqual(back.problems, []);
  await thief.context().close();
  await context.close();
});

test("a stock client that acknowledges nothing and has no token gets what waits for its nickname", async () => {
  const sender = await connected({ nickname: "Carl" });
  assert.deepEqual(await tell(sender, "Dora", "one").then(({ ok, delivered }) => ({ ok, delivered })), { ok: true, delivered: false });
  for (let i = 0; i < 2; i++) {
    const dora = client({ nickname: "Dora" });
    const got = [];
    dora.on("chat:private", (message) => got.push(message.chat));
    await until("what waits comes", () => got.length > 0);
    await sleep(300);
    assert.deepEqual(got, ["one"]);
    dora.close();
    await sleep(300);
  }
  const dora = client({ nickname: "Dora" });
  const got = new Promise((resolve) => dora.on("chat:private", (message, ack) => { ack(); resolve(message); }));
  assert.equal((await got).chat, "one");
  await sleep(300);
  dora.close();
});
