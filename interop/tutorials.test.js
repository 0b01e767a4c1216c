// The tutorials' systems in Chromium: two browsers for each, over each transport that it has. One of
// them is closed in the middle, the server is killed and started again in the middle, and at the end
// everybody sees the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { io } from "socket.io-client";
import { launch, open } from "./lib/browser.js";
import { Server, TERMINAL, until } from "./lib/server.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const by = (page, id) => page.getByTestId(id);
const visit = (path, transport) => open(browser, `${server.url}${path}?transport=${transport}`);
const live = (page) => until("the page is live", async () => (await by(page, "badge").getAttribute("data-state")) === "live");

async function close(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

/** kill -9, and the same server again. */
async function crash(...pages) {
  await server.kill();
  for (const page of pages) {
    await until("the page says that it is offline", async () => (await by(page, "badge").getAttribute("data-state")) !== "live");
  }
  await server.up();
  for (const page of pages) await live(page);
}

// ---- all pages

const PAGES = ["/", "/vote/", "/chat/", "/echo/", "/task/", "/compare/", "/console/"];

test("all pages have one navigation, and fit on a telephone", async () => {
  let want;
  for (const path of PAGES) {
    const page = await open(browser, server.url + path, { viewport: { width: 390, height: 800 } });
    const links = await page.locator(".nav a").evaluateAll((all) => all.map((a) => [a.getAttribute("href"), a.firstChild.textContent.trim()]));
    want ??= links;
    assert.deepEqual(links, want, path);
    assert.deepEqual(links.map(([href]) => href), PAGES);
    assert.equal(await page.locator(".nav a[aria-current=page]").getAttribute("href"), path);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${path} is wider than the screen`);
    await close(page);
  }
});

test("the source of each namespace is one click away", async () => {
  for (const path of ["/vote/", "/chat/", "/echo/", "/task/", "/console/"]) {
    const page = await open(browser, server.url + path);
    const href = await page.locator("a[href^='/source/']").first().getAttribute("href");
    const response = await fetch(server.url + href);
    assert.equal(response.status, 200, href);
    assert.match(response.headers.get("content-type"), /^text\/plain/);
    assert.match(await response.text(), /^package namespaces$/m);
    await close(page);
  }
});

// ---- vote

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
    const atLeast = want + 1;
    await until("the votes have come", async () => (await votes())["2"] >= atLeast);
    want = await settled(async () => (await votes())["2"]);
    assert.ok(want <= atLeast + 2, `got ${want}, want at most ${atLeast + 2}`);
    await agreed("2", want, one, other, third);

    await crash(one, other, third);
    assert.equal((await votes())["2"], want, "a crash loses no vote");
    for (const page of [one, other, third]) await by(page, "vote-2").click();
    await agreed("2", want + 3, one, other, third);
    await close(one, other, third);
  });
}

/** The value when it has not changed for half a second. */
async function settled(get) {
  let value = await get();
  let since = Date.now();
  await until("nothing changes any more", async () => {
    const now = await get();
    if (now !== value) since = Date.now();
    value = now;
    return Date.now() - since > 500;
  });
  return value;
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

// ---- chat

const lines = (page) => by(page, "chat-line").locator("[data-part=text]").allTextContents();

async function speak(page, ...texts) {
  for (const text of texts) {
    await by(page, "message").fill(text);
    await by(page, "send").click();
    await until(`“${text.slice(0, 40)}” is shown where it was said`, async () => (await lines(page)).includes(text));
  }
}

/** Waits until all pages show exactly these messages, in this order, after what was there before. */
async function heard(texts, ...pages) {
  for (const page of pages) {
    const ours = async () => (await lines(page)).filter((line) => texts.includes(line));
    await until("all messages", async () => (await ours()).length >= texts.length).catch(async (error) => {
      throw new Error(`${error.message}: got ${JSON.stringify(await lines(page))}, want ${JSON.stringify(texts)}`);
    });
    assert.deepEqual(await ours(), texts);
  }
}

let round = 0; // makes the texts of a test its own

for (const transport of ["websocket", "polling", "raw", "short", "queue", "reader"]) {
  test(`the anonymous room over ${transport}: two browsers see the same, before and after a crash`, async () => {
    const mark = `r${++round}`;
    const one = await visit("/chat/", transport);
    const other = await visit("/chat/", transport);
    const third = await visit("/chat/", "websocket");
    for (const page of [one, other, third]) await live(page);
    await speak(one, `${mark} one`);
    await speak(other, `${mark} two`);
    await speak(third, `${mark} three`);
    const leaver = await visit("/chat/", transport);
    await live(leaver);
    await leaver.context().close();
    const markup = `${mark} <img src=x onerror="window.hacked = true"><script>window.hacked = true</script>`;
    await speak(one, markup);
    const before = [`${mark} one`, `${mark} two`, `${mark} three`, markup];
    await heard(before, one, other, third);
    for (const page of [one, other, third]) assert.equal(await page.evaluate(() => window.hacked), undefined);

    await crash(one, other, third);
    await speak(other, `${mark} back`);
    await speak(third, `${mark} again`);
    await heard([...before, `${mark} back`, `${mark} again`], one, other, third);

    // Who comes late reads what was said, and each message once.
    const late = await visit("/chat/", "polling");
    await heard([...before, `${mark} back`, `${mark} again`], late);
    await close(one, other, third, late);
  });
}

async function join(page, nickname) {
  await live(page);
  await by(page, "nickname").fill(nickname);
  await by(page, "join").click();
  await until(`${nickname} is among the people`, async () => (await by(page, "people").textContent()).includes(nickname));
}

for (const transport of ["websocket", "polling"]) {
  test(`named chat over ${transport}: people, rooms, private words, and nobody else reads them`, async () => {
    const [ada, bob, eve] = ["Ada", "Bob", "Eve"].map((name) => `${name}-${transport}`);
    const one = await visit("/chat/", transport);
    const other = await visit("/chat/", transport);
    const third = await visit("/chat/", "websocket");
    await join(one, ada);
    await join(other, bob);
    await join(third, eve);
    await until("all see all", async () => {
      const seen = await Promise.all([one, other, third].map((page) => by(page, "people").textContent()));
      return seen.every((text) => [ada, bob, eve].every((name) => text.includes(name)));
    });

    // A name that is taken is refused in words, and its owner notices nothing.
    const twin = await visit("/chat/", transport);
    await live(twin);
    await by(twin, "nickname").fill(ada);
    await by(twin, "join").click();
    await until("a sentence at the field", async () => /this nickname/i.test(await twin.locator("#nickname-error").textContent()));
    await close(twin);

    await speak(one, `${transport} hello`);
    await heard([`${transport} hello`], one, other, third);

    await by(one, "private-to").fill(bob);
    await speak(one, `${transport} secret`);
    await heard([`${transport} secret`], one, other);
    await by(one, "private-to").fill("");
    await speak(one, `${transport} public`);
    await heard([`${transport} public`], third);
    assert.ok(!(await lines(third)).includes(`${transport} secret`), "somebody else reads private words");

    // To somebody who has left it waits.
    const back = await other.context().newPage(); // the same browser
    back.problems = other.problems;
    await other.close();
    await until("the others see who has left", async () => !(await by(one, "people").textContent()).includes(bob));
    await by(one, "private-to").fill(bob);
    await speak(one, `${transport} for later`);
    await crash(one, third);
    await back.goto(`${server.url}/chat/?transport=${transport}`);
    await join(back, bob);
    await heard([`${transport} for later`], back);
    assert.ok(!(await lines(third)).includes(`${transport} for later`));
    await close(one, third, back);
  });
}

test("markup as a nickname is shown as text", async () => {
  const name = "<b onclick=alert(1)>B</b>";
  const page = await visit("/chat/", "websocket");
  await join(page, name);
  await speak(page, "I am markup");
  assert.equal(await page.locator(".chat-who", { hasText: name }).count() > 0, true);
  assert.equal(await page.locator(".chat b, .people b").count(), 0);
  await close(page);
});

test("nicknames that cannot be are refused in words", async () => {
  for (const name of ["x".repeat(500), "a\u0007b"]) {
    const page = await visit("/chat/", "websocket");
    await live(page);
    await by(page, "nickname").fill(name);
    await by(page, "join").click();
    await until("a sentence at the field", async () => (await page.locator("#nickname-error").textContent()).length > 15);
    assert.equal(await by(page, "badge").getAttribute("data-state"), "refused");
    await close(page);
  }
});

// ---- echo

for (const transport of ["websocket", "polling", "raw"]) {
  test(`text and bytes come back over ${transport}, before and after a crash`, async () => {
    const pages = [await visit("/echo/", transport), await visit("/echo/", transport)];
    for (const page of pages) await live(page);
    const echoes = (page) => by(page, "echo-line").allTextContents();
    const round = async (page, nth) => {
      await by(page, "text").fill(`Grüße <b>${nth}</b> 小米`);
      await by(page, "send-text").click();
      for (const size of ["16", "65536", "524288"]) {
        await by(page, "size").selectOption(size);
        await by(page, "send-bytes").click();
      }
      await until("all four", async () => (await echoes(page)).filter((line) => / ms$/.test(line)).length === 4 * nth);
      const all = (await echoes(page)).join("\n");
      assert.ok(all.includes(`Grüße <b>${nth}</b> 小米`), all);
      assert.ok(all.includes("524,288 bytes"), all);
      assert.ok(!all.includes("not the same"), all);
    };
    for (const page of pages) await round(page, 1);
    await crash(...pages);
    for (const page of pages) await round(page, 2);
    assert.match(await by(pages[0], "rtt").textContent(), /ms$/);
    await close(...pages);
  });
}

// ---- task

for (const transport of ["websocket", "polling"]) {
  test(`the task over ${transport}: live answers, and a job that outlives page and server`, async () => {
    const page = await visit("/task/", transport);
    await live(page);
    await by(page, "run-live").click();
    await until("both answers", async () => (await by(page, "answer").allTextContents()).some((text) => text.includes("processed")));
    const answers = (await by(page, "answer").allTextContents()).join("\n");
    assert.match(answers, /200: start to process\.\.\.[^]*200: processed/);

    await by(page, "param").fill("<i>markup</i>");
    await by(page, "run-job").click();
    await until("the job is listed", async () => (await by(page, "task").count()) === 1);
    const id = await by(page, "task").first().getAttribute("data-id");
    await until("the job runs", async () => (await by(page, "job-state").first().textContent()) === "running");

    // The page is closed and opened again in the same browser; the server dies in between.
    const again = await page.context().newPage();
    again.problems = page.problems;
    await page.close();
    await server.kill();
    await server.up();
    await again.goto(`${server.url}/task/?transport=${transport}`);
    await until("the job is listed again", async () => (await by(again, "task").first().getAttribute("data-id").catch(() => null)) === id);
    await until("the job has ended", async () => TERMINAL.includes(await by(again, "job-state").first().textContent()));
    assert.equal(await by(again, "job-state").first().textContent(), "completed");
    assert.equal((await server.job(id)).attempt, 2);
    assert.match(await by(again, "job-link").first().textContent(), /<i>markup<\/i>/);

    await by(again, "job-link").first().click();
    await again.waitForURL(new RegExp(`/jobs/${id}`));
    await until("the job's own page", async () => (await by(again, "job-state").first().textContent()) === "completed");
    assert.equal(await again.title(), "completed · Background task <i>markup</i> · Jobcast");
    await close(again);
  });
}

// ---- what a chat must also bear

test("a named chat over raw WebSockets: the lobby, and private words", async () => {
  const [one, other, third] = [await visit("/chat/", "raw"), await visit("/chat/", "raw"), await visit("/chat/", "websocket")];
  for (const [page, name] of [[one, "Raw Ada"], [other, "Raw Bob"]]) {
    await live(page);
    await by(page, "nickname").fill(name);
    await by(page, "join").click();
    await until("the lobby", async () => (await by(page, "room-title").textContent()) === "lobby");
    await live(page);
  }
  await join(third, "Raw Eve");
  await speak(one, "raw hello");
  await heard(["raw hello"], one, other, third);
  await by(one, "private-to").fill("Raw Bob");
  await speak(one, "raw secret");
  await heard(["raw secret"], one, other);
  await by(one, "private-to").fill("Nobody");
  await speak(one, "raw waits");
  await until("the sender learns that nobody is there", async () => /Nobody is not here/.test(await one.locator("#lines").textContent()));
  assert.deepEqual((await lines(third)).filter((line) => /^raw/.test(line)), ["raw hello"]);
  await close(one, other, third);
});

test("rooms of one's own, two tabs that are one person, and a sign of typing", async () => {
  const one = await visit("/chat/", "websocket");
  const other = await visit("/chat/", "polling");
  await join(one, "Tab Ada");
  await join(other, "Tab Bob");
  for (const page of [one, other]) {
    await by(page, "room").fill("engine room");
    await by(page, "join-room").click();
    await until("the room", async () => (await by(page, "room-title").textContent()) === "engine room");
  }
  await speak(one, "in the engine room");
  await heard(["in the engine room"], other);
  await by(one, "message").pressSequentially("typing");
  await until("the sign", async () => /Tab Ada is typing/.test(await by(other, "typing").textContent()));
  await by(one, "message").fill("");

  // Another tab of the same browser is the same person: nobody joins, and nobody leaves when it closes.
  const tab = await one.context().newPage();
  tab.problems = one.problems;
  await tab.goto(`${server.url}/chat/?transport=polling`);
  await join(tab, "Tab Ada");
  await by(tab, "room").fill("engine room");
  await by(tab, "join-room").click();
  await heard(["in the engine room"], tab);
  await tab.close();
  await speak(other, "still here");
  await heard(["in the engine room", "still here"], one);
  const notes = async () => (await other.locator(".chat-note").allTextContents()).filter((note) => note.includes("Tab Ada"));
  assert.deepEqual((await notes()).filter((note) => note.includes("left")), []);

  await crash(one, other);
  await until("both are in the room again", async () => {
    const people = await Promise.all([one, other].map((page) => by(page, "people").textContent()));
    return people.every((text) => text.includes("Tab Ada") && text.includes("Tab Bob"));
  });
  await speak(one, "after the crash");
  await heard(["in the engine room", "still here", "after the crash"], one, other);

  await by(other, "leave").click();
  await until("the lobby", async () => (await by(other, "room-title").textContent()) === "lobby");
  await speak(one, "without Bob");
  await speak(other, "in the lobby");
  assert.ok(!(await lines(other)).includes("without Bob"));
  const gone = one.context();
  await gone.close();
  await until("who is closed has left, once", async () => (await notes()).filter((note) => note === "Tab Ada has left").length === 1);
  await close(other);
});

test("a flood, a message of 1 MB and somebody else's room are refused, and the others notice nothing", async () => {
  const page = await visit("/chat/", "websocket");
  await join(page, "Calm Ada");
  await speak(page, "before the flood");
  const hostile = io(`${server.url}/chat`, { transports: ["websocket"], forceNew: true, auth: { nickname: "Mallory" } });
  await new Promise((resolve, reject) => hostile.on("connect", resolve).on("connect_error", reject));
  let accepted = 0;
  let refused = 0;
  const answers = [];
  for (let i = 0; i < 10_000; i++) {
    answers.push(new Promise((resolve) => {
      hostile.timeout(120_000).emit("chat:message", { chat: `flood ${i}` }, (late, ack) => {
        if (ack?.ok) accepted++;
        else refused++;
        resolve();
      });
    }));
  }
  await speak(page, "during the flood");
  await Promise.all(answers);
  assert.ok(refused > 9000 && accepted < 1000, `${accepted} accepted, ${refused} refused`);
  if (!hostile.connected) hostile.connect();
  await until("the hostile client is connected", () => hostile.connected);
  await new Promise((done) => setTimeout(done, 2500)); // it may speak again

  const ask = (event, payload) => new Promise((resolve) => {
    const ended = () => resolve("disconnected");
    hostile.once("disconnect", ended);
    hostile.timeout(120_000).emit(event, payload, (late, ack) => {
      hostile.off("disconnect", ended);
      resolve(late ? "no answer" : ack);
    });
  });
  const long = await ask("chat:message", { chat: "x".repeat(1e6) });
  assert.ok(long === "disconnected" || long.ok === false, JSON.stringify(long));
  await until("the hostile client is connected", () => hostile.connected || (hostile.connect(), false));
  const foreign = await ask("chat:message", { room: "a room of others", chat: "let me in" });
  assert.equal(foreign.ok, false);
  hostile.close();

  await speak(page, "after the flood");
  await heard(["during the flood", "after the flood"], page);
  await close(page);
});
