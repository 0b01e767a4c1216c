// The tutorials' own pages, written anew to their description: loops of $.ajax, raw WebSockets, and
// socket.io.js, each against the routes that it has always used.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./lib/browser.js";
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

/** A page of this origin that does nothing itself, with what of jQuery the scripts use. */
async function blank() {
  const page = await open(browser, `${server.url}/favicon.svg`);
  await page.goto(`${server.url}/nothing-here`); // the page for what is not there has no script
  await page.evaluate(() => {
    // jQuery itself would be a dependency of one test. This is its $.ajax as far as the scripts go: a
    // form for a body, a query for GET, JSON for dataType JSON.
    window.$ = {
      ajax({ url, type = "GET", data, dataType, success, error }) {
        const form = new URLSearchParams(data ?? {}).toString();
        const request = new XMLHttpRequest();
        request.open(type, type === "GET" && form ? `${url}?${form}` : url);
        if (type === "POST") request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
        request.onload = () => {
          if (request.status >= 300) return error?.(request);
          try {
            success?.(/json/i.test(dataType ?? request.getResponseHeader("Content-Type")) ? JSON.parse(request.responseText) : request.responseText);
          } catch (e) {
            error?.(request, "parsererror", e);
          }
        };
        request.onerror = () => error?.(request);
        request.send(type === "POST" ? form : null);
      },
    };
    window.shown = [];
  });
  return page;
}

const shown = (page) => page.evaluate(() => window.shown);
const close = async (...pages) => {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
};

/** Long polling with a queue for each reader: POST /send_msg/, GET /get_msg/?name=. */
const queuePage = (name) => {
  window.failures = 0;
  function getMessage() {
    $.ajax({
      url: "/get_msg/", type: "GET", data: { name }, dataType: "JSON",
      success(res) {
        if (res.status) window.shown.push(res.msg);
        getMessage();
      },
      error() {
        window.failures++;
        setTimeout(getMessage, 200);
      },
    });
  }
  window.send = (text) => $.ajax({ url: "/send_msg/", type: "POST", data: { content: text } });
  getMessage();
};

/** Short polling: GET /send/msg?text=, GET /get/msg?index=, every half second. */
const indexPage = () => {
  let index = 0;
  let asking = false;
  setInterval(() => {
    if (asking) return;
    asking = true;
    $.ajax({
      url: "/get/msg", type: "GET", data: { index }, dataType: "JSON",
      success(res) {
        index = res.index;
        window.shown.push(...res.data);
        asking = false;
      },
      error() { asking = false; },
    });
  }, 500);
  window.send = (text) => $.ajax({ url: "/send/msg", type: "GET", data: { text } });
};

/** Long polling where the server knows how far a reader has read: GET /send/message?text=, GET /get/message?uid=. */
const readerPage = (uid) => {
  function getMessage() {
    $.ajax({
      url: "/get/message", type: "GET", data: { uid }, dataType: "JSON",
      success(res) {
        if (res.status) window.shown.push(res.data);
        getMessage();
      },
      error() { setTimeout(getMessage, 200); },
    });
  }
  window.send = (text) => $.ajax({ url: "/send/message", type: "GET", data: { text } });
  getMessage();
};

/** A raw WebSocket whose text frames are what is said. */
const socketPage = () => {
  const url = location.href.replace(/^http/, "ws").replace(/\/[^/]*$/, "/ws/chat");
  function connect() {
    window.ws = new WebSocket(url);
    ws.onmessage = (event) => window.shown.push(event.data);
    ws.onclose = () => setTimeout(connect, 200);
  }
  window.send = (text) => ws.send(text);
  connect();
  return new Promise((resolve) => { ws.onopen = resolve; });
};

test("all four of the tutorials' pages share one room, before and after a crash", async () => {
  const scripts = { queue: queuePage, index: indexPage, reader: readerPage, socket: socketPage };
  const pages = {};
  for (const [name, script] of Object.entries(scripts)) {
    pages[name] = await blank();
    await pages[name].evaluate(script, `tutorial-${name}`);
  }
  const all = Object.values(pages);
  // A reader of long polling hears what is said after it has asked, so something is said until everybody hears it.
  const listening = async (when) => {
    let n = 0;
    await until(`everybody listens ${when}`, async () => {
      await server.api(`/send/msg?${new URLSearchParams({ text: `${when} ${n++}` })}`);
      await sleep(200); // the limit of what one address may say is 20 a second
      return (await Promise.all(all.map(shown))).every((heard) => heard.some((text) => text.startsWith(`${when} `)));
    });
  };
  await listening("at first");
  const texts = [];
  const say = async (name, text) => {
    texts.push(text);
    await pages[name].evaluate((words) => window.send(words), text);
    for (const [reader, page] of Object.entries(pages)) {
      await until(`${reader} hears “${text}” from ${name}`, async () => (await shown(page)).includes(text));
    }
  };
  for (const name of Object.keys(pages)) await say(name, `from ${name}: 小米 & <b>you</b>`);

  await server.kill();
  await server.up();
  await until("the WebSocket is back", () => pages.socket.evaluate(() => window.ws.readyState === WebSocket.OPEN));
  await listening("after the crash");
  for (const name of Object.keys(pages)) await say(name, `after the crash, from ${name}`);

  await say("index", "the end"); // what came twice would have come before it
  for (const [name, page] of Object.entries(pages)) {
    assert.deepEqual((await shown(page)).filter((text) => texts.includes(text)), texts, `${name}: each message once and in order`);
  }
  await close(...all);
});

test("a long poll is answered when nothing is said", async () => {
  const [one, other] = await Promise.all([server.api("/get_msg/?name=patient"), server.api("/get/message?uid=patient")]);
  assert.equal(one.body.status, false);
  assert.equal(other.body.status, false);
});

test("raw WebSockets with names: the group, and one to one", async () => {
  const page = await blank();
  const result = await page.evaluate(async () => {
    const base = location.href.replace(/^http/, "ws").replace(/\/[^/]*$/, "");
    const connect = (path) => new Promise((resolve, reject) => {
      const ws = new WebSocket(base + path);
      ws.got = [];
      ws.onmessage = (event) => ws.got.push(JSON.parse(event.data));
      ws.onopen = () => resolve(ws);
      ws.onerror = reject;
    });
    const came = (ws, chat) => new Promise((done) => {
      const look = () => { if (ws.got.some((one) => one.chat?.includes(chat))) done(); };
      ws.addEventListener("message", look);
      look();
    });
    const [ada, bob] = [await connect("/ws/chat/Ada"), await connect("/ws/chat/Bob")];
    ada.send("hello, group");
    const [pada, pbob, peve] = [await connect("/ws/private/PAda"), await connect("/ws/private/PBob"), await connect("/ws/private/PEve")];
    pada.send(JSON.stringify({ to_user: "PBob", chat: "hello, you" }));
    pada.send(JSON.stringify({ to_user: "Nobody", chat: "is there anybody" }));
    await Promise.all([came(ada, "hello, group"), came(bob, "hello, group"), came(pbob, "hello, you"), came(pada, "Nobody")]);
    pada.send(JSON.stringify({ to_user: "PEve", chat: "the end" }));
    await came(peve, "the end"); // what was said before would have come before
    const got = { ada: ada.got, bob: bob.got, pada: pada.got, pbob: pbob.got, peve: peve.got };
    for (const ws of [ada, bob, pada, pbob, peve]) ws.close();
    return got;
  });
  for (const who of ["ada", "bob"]) {
    assert.deepEqual(result[who].filter((one) => one.chat === "hello, group"), [{ from_user: "Ada", chat: "hello, group" }], who);
  }
  assert.deepEqual(result.pbob, [{ from_user: "PAda", to_user: "PBob", chat: "hello, you" }]);
  assert.deepEqual(result.peve, [{ from_user: "PAda", to_user: "PEve", chat: "the end" }]);
  assert.ok(result.pada.length >= 1, "the sender learns that nobody is there");
  await close(page);
});

test("the vote of the tutorial, over its raw WebSocket and over socket.io.js", async () => {
  const page = await blank();
  const { changes, before, acked } = await page.evaluate(async () => {
    const ws = new WebSocket(`${location.href.replace(/^http/, "ws").replace(/\/[^/]*$/, "")}/ws/vote`);
    const changes = [];
    ws.onmessage = (event) => changes.push(JSON.parse(event.data));
    await new Promise((resolve) => { ws.onopen = resolve; });
    const before = (await (await fetch("/api/vote")).json()).candidates[0].count;
    ws.send("1");
    await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/vendor/socket.io.min.js";
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    const socket = window.io("/vote");
    const acked = await new Promise((resolve) => socket.emit("vote", { uid: 1 }, resolve));
    const came = (many) => new Promise((done) => {
      const look = () => { if (changes.length >= many) done(); };
      ws.addEventListener("message", look);
      look();
    });
    await came(2);
    ws.send("9"); // a refusal comes back, after all that came before
    await came(3);
    socket.close();
    ws.close();
    return { changes, before, acked };
  });
  assert.deepEqual(changes.map(({ uid, name, count }) => ({ uid, name, count })), [
    { uid: 1, name: "小米", count: before + 1 },
    { uid: 1, name: "小米", count: before + 2 },
    { uid: undefined, name: undefined, count: undefined },
  ]);
  assert.match(changes.at(-1).error, /no candidate/);
  assert.equal(acked.ok, true);
  assert.equal(acked.candidate.count, before + 2);
  await close(page);
});
