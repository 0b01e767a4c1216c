// What is said while a page is not connected: over each transport the page has it afterwards, once and in
// order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./lib/browser.js";
import { Server, until } from "./lib/server.js";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const badge = (page) => page.getByTestId("badge").getAttribute("data-state");
const lines = (page) => page.getByTestId("chat-line").locator("[data-part=text]").allTextContents();
const send = (text) => server.api(`/send/msg?${new URLSearchParams({ text })}`);

test("what is said while the pages are away comes to all of them, over each transport", async () => {
  const transports = ["websocket", "polling", "raw", "short", "queue", "reader"];
  const pages = [];
  for (const transport of transports) {
    const page = await open(browser, `${server.url}/chat/?transport=${transport}`);
    await until("the page is live", async () => (await badge(page)) === "live");
    pages.push(page);
  }
  const said = [];
  const say = async (text) => {
    said.push(text);
    assert.equal((await send(text)).status, 200);
  };
  const all = () => until("everybody has everything", async () => {
    const seen = await Promise.all(pages.map(lines));
    return seen.every((texts) => texts.length >= said.length);
  });
  // The first wait of a page is 0.3 s and grows: some come back before, and some after.
  for (let round = 0; round < 3; round++) {
    await say(`before break ${round}`);
    await all();
    await server.kill();
    for (const page of pages) await until("the page is away", async () => (await badge(page)) !== "live");
    await server.up();
    for (let i = 0; i < 10; i++) await say(`round ${round}, ${i}`);
    await all();
  }
  for (const [i, page] of pages.entries()) {
    assert.deepEqual(await lines(page), said, transports[i]);
    assert.deepEqual(page.problems, []);
  }
});
