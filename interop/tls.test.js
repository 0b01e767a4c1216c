// The pages over TLS: everything comes over HTTP/2 but the WebSockets, which have connections of their own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { by, launch, live, open } from "./lib/browser.js";
import { Server, until } from "./lib/server.js";

let server, browser, dir;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), "jobcast-tls-"));
  const root = execFileSync("go", ["env", "GOROOT"], { encoding: "utf8" }).trim();
  execFileSync("go", ["run", join(root, "src/crypto/tls/generate_cert.go"), "-host", "127.0.0.1", "-ecdsa-curve", "P256"], { cwd: dir });
  server = await Server.start({ roots: [dir], args: ["--tls-cert", join(dir, "cert.pem"), "--tls-key", join(dir, "key.pem")] });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const visit = (path) => open(browser, server.url + path, { ignoreHTTPSErrors: true });

test("a page, its files and its polls come over HTTP/2, and its socket is a WebSocket", async () => {
  const page = await visit("/");
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.reload();
  await live(page);
  await until("the upgrade", async () => /websocket/i.test(await by(page, "badge").textContent()));
  assert.ok(sockets.some((url) => url.startsWith("wss://")), `${sockets}`);
  const protocols = await page.evaluate(() => performance.getEntries().filter((e) => e.nextHopProtocol).map((e) => [new URL(e.name).pathname, e.nextHopProtocol]));
  assert.ok(protocols.length > 5, JSON.stringify(protocols));
  for (const [path, protocol] of protocols) assert.equal(protocol, "h2", path);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("eight tabs with a stream of events each, and the ninth works", async () => {
  const first = await visit("/vote/?transport=sse");
  const tabs = [first];
  for (let i = 1; i < 8; i++) {
    const page = await first.context().newPage();
    await page.goto(`${server.url}/vote/?transport=sse`);
    tabs.push(page);
  }
  for (const page of tabs) await live(page);
  const ninth = await first.context().newPage();
  await ninth.goto(`${server.url}/vote/?transport=sse`);
  await live(ninth);
  await by(ninth, "vote-1").click();
  const count = async (page) => Number(await by(page, "count-1").getAttribute("data-count"));
  for (const page of [...tabs, ninth]) await until("the vote", async () => (await count(page)) === 301);
  await first.context().close();
});

test("the comparison says that bytes are not counted over HTTP/2", async () => {
  const page = await visit("/compare/");
  await live(page);
  await until("the remark", () => page.locator("#uncounted").isVisible());
  await until("requests", async () => page.evaluate(() => [...window.comparison.tracks.values()].some((track) => track.figures.requests > 0)));
  const bytes = await page.evaluate(() => [...window.comparison.tracks.values()].map((track) => track.figures.bytes));
  assert.deepEqual(bytes.filter((n) => n !== null), []);
  await page.context().close();
});
