// The client's files below /socket.io/, beside what Node's server answers, and in a real browser.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { Server as NodeServer } from "socket.io";
import { launch, open } from "./lib/browser.js";
import { Server } from "./lib/server.js";

const DIST = join(import.meta.dirname, "node_modules/socket.io-client/dist");
const SCRIPTS = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];
const FILES = SCRIPTS.flatMap((name) => [name, `${name}.map`]);
const { version } = JSON.parse(readFileSync(join(DIST, "../package.json"), "utf8"));

let server, node, io, browser;
before(async () => {
  server = await Server.start({ args: ["--origin", "https://a.test"] });
  node = createServer();
  io = new NodeServer(node, { cors: { origin: ["https://a.test"] }, allowEIO3: true });
  node.listen(0, "127.0.0.1");
  await once(node, "listening");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await io?.close();
  await server?.stop();
});

/** One answer as it is on the wire, but for its framing. */
async function get(base, path, { method = "GET", ...headers } = {}) {
  const req = request(base + path, { method, headers, agent: false }).end();
  const [res] = await once(req, "response");
  const chunks = [];
  for await (const chunk of res) chunks.push(chunk);
  return { status: res.statusCode, headers: res.headers, raw: Buffer.concat(chunks) };
}

const DECODE = { gzip: gunzipSync, deflate: inflateSync, undefined: (raw) => raw };
const decoded = ({ headers, raw }) => DECODE[headers["content-encoding"]](raw);

async function both(path, options) {
  const url = `http://127.0.0.1:${node.address().port}`;
  return Promise.all([get(server.url, path, options), get(url, path, options)]);
}

/** The fields in which the answers must be the same. */
const compared = ["content-type", "cache-control", "etag", "content-encoding", "access-control-allow-origin"];
const pick = ({ status, headers }) => [status, ...compared.map((name) => headers[name])];

test("every file is Node's, with its fields", async () => {
  const requests = [
    {},
    { "accept-encoding": "gzip" },
    { "accept-encoding": "deflate" },
    { "accept-encoding": "gzip, deflate, br, zstd" },
    { "accept-encoding": "deflate;q=1, gzip;q=0.5" },
    { "accept-encoding": "identity" },
    { "accept-encoding": "gzip;q=0" },
    { origin: "https://a.test" },
    { method: "HEAD" },
  ];
  for (const name of FILES) {
    for (const options of requests) {
      const [ours, theirs] = await both(`/socket.io/${name}?v=1`, options);
      const about = `${name} ${JSON.stringify(options)}`;
      assert.deepEqual(pick(ours), pick(theirs), about);
      if (options.method === "HEAD") {
        assert.equal(ours.raw.length, 0, about);
        continue;
      }
      assert.ok(decoded(ours).equals(decoded(theirs)), about);
      assert.ok(decoded(ours).equals(readFileSync(join(DIST, name))), about);
      assert.match(ours.headers.vary, /Accept-Encoding/, about); // Node leaves caches to guess
    }
  }
});

test("a file that the browser has is not sent again", async () => {
  for (const [tag, status] of [[`"${version}"`, 304], [`W/"${version}"`, 304], ['"4.0.0"', 200], [version, 200]]) {
    for (const name of ["socket.io.js", "socket.io.js.map"]) {
      const [ours, theirs] = await both(`/socket.io/${name}`, { "if-none-match": tag });
      assert.deepEqual([ours.status, theirs.status], [status, status], `${name} ${tag}`);
      assert.equal(ours.headers.etag, `"${version}"`);
      if (status === 304) assert.equal(ours.raw.length, 0);
    }
  }
});

test("what is no file is the engine's", async () => {
  for (const path of ["/socket.io/socket.io.slim.js", "/socket.io/package.json", "/socket.io/x/socket.io.js", "/socket.io/"]) {
    const [ours, theirs] = await both(path);
    assert.deepEqual([ours.status, ours.raw.toString()], [theirs.status, theirs.raw.toString()], path);
  }
});

test("a foreign page may run the file, and only an admitted one may read it", async () => {
  const { status, headers } = await get(server.url, "/socket.io/socket.io.js", { origin: "https://b.test" });
  assert.deepEqual([status, headers["access-control-allow-origin"]], [200, undefined]);
});

test("the scripts work in a browser, as scripts and as a module", async () => {
  const page = await open(browser, `${server.url}/vote/`);
  for (const name of SCRIPTS.filter((name) => !name.includes("esm"))) {
    await page.evaluate(() => delete window.io);
    await page.addScriptTag({ url: `/socket.io/${name}` });
    assert.equal(await page.evaluate(() => typeof window.io), "function", name);
  }
  await page.evaluate(() => delete window.io);
  await page.addScriptTag({ url: "/socket.io/socket.io.js" });
  const echoed = (io) =>
    new Promise((resolve, reject) => {
      const socket = io({ forceNew: true });
      socket.on("connect_error", reject);
      socket.emit("echo", "hello", (answer) => {
        socket.close();
        resolve(answer);
      });
    });
  assert.equal(await page.evaluate(`(${echoed})(window.io).then(JSON.stringify)`), '"hello"');
  const module = `import("/socket.io/socket.io.esm.min.js").then(({ io }) => (${echoed})(io)).then(JSON.stringify)`;
  assert.equal(await page.evaluate(module), '"hello"');
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
