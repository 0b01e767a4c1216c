// A server and a browser for a file that tests the page of a system.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { by, launch, live, open } from "./browser.js";
import { Server, until } from "./server.js";

export { by, live };
export let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

export const visit = (path, transport) => open(browser, `${server.url}${path}?transport=${transport}`);

export async function close(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

/** kill -9, and the same server again. */
export async function crash(...pages) {
  await server.kill();
  for (const page of pages) {
    await until("the page says that it is offline", async () => (await by(page, "badge").getAttribute("data-state")) !== "live");
  }
  await server.up();
  for (const page of pages) await live(page);
}
