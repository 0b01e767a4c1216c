// The stock client 4.8.4 in headless Chromium over WebTransport: alone, and come to from polling.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./lib/browser.js";
import { Server as Program } from "./lib/server.js";
import { Server } from "./old/lib.js";

const ways = {
  "webtransport alone": { transports: ["webtransport"] },
  "polling, upgraded to webtransport": { transports: ["polling", "webtransport"] },
  "polling, with both upgrades on offer": { transports: ["polling", "websocket", "webtransport"] },
};

let server, browser;
before(async () => {
  server = await Server.start(["-webtransport"]);
  browser = await launch({ quic: true });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function withPage(run) {
  const page = await open(browser, `${server.url}/page.html?client=4`);
  try {
    await page.waitForFunction(() => window.scenario && window.io);
    // A page trusts the certificate by its hash, which is another one after a restart.
    await page.evaluate(() => {
      window.trusting = async (options) => {
        const value = await (await fetch("/hash")).arrayBuffer();
        const webtransport = { serverCertificateHashes: [{ algorithm: "sha-256", value }] };
        return { ...options, transportOptions: { webtransport } };
      };
    });
    await run(page);
    assert.deepEqual(page.problems.filter(unexpected), []);
  } finally {
    await page.context().close();
  }
}

// The client leaves rejected promises of a WebTransport that has ended, or does not open, to the page.
const unexpected = (problem) => !/^(WebTransportError: |NetworkError: The stream was aborted|InvalidStateError: The WebTransport connection)/.test(problem);

for (const [name, options] of Object.entries(ways)) {
  test(`the scenario of every client over ${name}`, () =>
    withPage(async (page) => {
      const run = async (options) => scenario.scenario(io, location.origin, await trusting(options), generation);
      assert.equal(await page.evaluate(run, options), "done");
    }));

  test(`large messages and empty ones over ${name}`, () =>
    withPage(async (page) => {
      const lengths = await page.evaluate(async (options) => {
        options = await trusting(options);
        const socket = await scenario.connected(scenario.dial(io, location.origin, options));
        await scenario.settled(socket, options);
        const answers = [];
        for (const length of [0, 1, 125, 126, 65535, 65536, 900_000]) {
          const [error, text, data] = await new Promise((done) =>
            socket.timeout(120_000).emit("echo", "x".repeat(length), new Uint8Array(length).fill(7), (...all) => done(all)));
          const same = !error && text.length === length && data.byteLength === length && new Uint8Array(data).every((b) => b === 7);
          answers.push(same ? length : `${length}: ${error}`);
        }
        socket.disconnect();
        return answers;
      }, options);
      assert.deepEqual(lengths, [0, 1, 125, 126, 65535, 65536, 900_000]);
    }));

  test(`a restart of the server is survived over ${name}`, () =>
    withPage(async (page) => {
      await page.evaluate(async (options) => {
        options = await trusting(options);
        window.socket = await scenario.connected(scenario.dial(io, location.origin, options, generation));
        await scenario.settled(socket, options);
        // What a page does that must outlive a certificate: it looks for the new one before each attempt.
        socket.io.on("reconnect_attempt", async () => {
          try {
            socket.io.opts.transportOptions = (await trusting({})).transportOptions;
          } catch {
            // The server is not back yet.
          }
        });
      }, options);
      await server.restart();
      await page.evaluate(() => scenario.comesBack(socket));
    }));
}

test("a client that may not use UDP goes on over WebSocket", () =>
  withPage(async (page) => {
    const transport = await page.evaluate(async () => {
      // Without the hash no WebTransport opens, as where a firewall drops UDP.
      const options = { transports: ["polling", "webtransport", "websocket"] };
      const socket = await scenario.connected(scenario.dial(io, location.origin, options));
      await scenario.settled(socket, options);
      const { name } = socket.io.engine.transport;
      socket.disconnect();
      return name;
    });
    assert.equal(transport, "websocket");
  }));

test("the program serves WebTransport to a page of its own", async () => {
  const program = await Program.start({ args: ["--webtransport"] });
  try {
    const page = await open(browser, program.url);
    const got = await page.evaluate(async () => {
      const options = await (await fetch("/webtransport.json")).json();
      for (const hash of options.serverCertificateHashes) hash.value = Uint8Array.from(atob(hash.value), (c) => c.charCodeAt(0));
      if (!window.io) {
        const script = document.createElement("script");
        script.src = "/vendor/socket.io.min.js";
        document.head.append(script);
        await new Promise((done, failed) => Object.assign(script, { onload: done, onerror: failed }));
      }
      const socket = io("/jobs", { forceNew: true, transports: ["webtransport"], transportOptions: { webtransport: options } });
      await new Promise((done, failed) => socket.on("connect", done).on("connect_error", failed));
      const started = await socket.emitWithAck("job:start", { kind: "checksum", args: { path: "." } });
      const joined = await socket.emitWithAck("job:subscribe", { id: started.job.id });
      const transport = socket.io.engine.transport.name;
      socket.disconnect();
      return { ok: started.ok && joined.ok, transport };
    });
    assert.deepEqual(got, { ok: true, transport: "webtransport" });
    assert.deepEqual(page.problems.filter(unexpected), []);
    await page.context().close();
  } finally {
    await program.stop();
  }
});
