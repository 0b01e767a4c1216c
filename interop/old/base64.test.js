// Clients that were told to carry binary as text: forceBase64, for all transports or for one of them.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, open } from "../lib/browser.js";
import { Server } from "./lib.js";
import { connected, dial, generations, settled, transports } from "./scenario.js";

const require = createRequire(import.meta.url);

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

// Runs in Node and in a page. No answer is what was sent: an echo would prove half of it.
async function carries(socket, settled) {
  const bytes = (data) => Array.from(new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength));
  const made = (n) => Array.from({ length: n }, (_, i) => i % 256);
  const binary = (values) => (typeof Buffer === "undefined" ? Uint8Array.from(values).buffer : Buffer.from(values));
  const call = (name, arg) =>
    new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error(`${name}: no answer`)), 120_000);
      socket.emit(name, arg, (answer) => {
        clearTimeout(late);
        done(answer);
      });
    });
  let disconnects = 0;
  socket.on("disconnect", () => disconnects++);
  const given = [];
  socket.on("given", (data) => given.push(bytes(data)));
  const sizes = [0, 1, 2, 3, 255, 3000];
  for (const round of ["when connected", "when settled"]) {
    for (const size of sizes) {
      const total = await call("sum", binary(made(size)));
      const want = made(size).reduce((a, b) => a + b, 0);
      if (total !== want) throw new Error(`${round}: the server counts ${total} in ${size} bytes, want ${want}`);
      const got = bytes(await call("gift", size));
      if (`${got}` !== `${made(size)}`) throw new Error(`${round}: got ${got.length} bytes, want ${size}`);
    }
    await settled(socket);
  }
  if (JSON.stringify(given) !== JSON.stringify([...sizes, ...sizes].map(made))) throw new Error(`given ${given.length} times, otherwise than asked`);
  if (disconnects) throw new Error(`${disconnects} disconnects`);
  return socket.io.engine.transport.name;
}

const choices = {
  "forceBase64": { forceBase64: true },
  // Since 2.x the transports may differ.
  "forceBase64 for WebSocket alone": { transportOptions: { websocket: { forceBase64: true } } },
  "forceBase64 for polling alone": { transportOptions: { polling: { forceBase64: true } } },
};

for (const [number, generation] of Object.entries(generations)) {
  for (const [choice, more] of Object.entries(choices)) {
    if (number.startsWith("1") && more.transportOptions) continue;
    for (const [name, base] of Object.entries(generation.early ? {} : transports)) {
      const options = { ...base, ...more };
      test(`socket.io-client ${number}.x over ${name} with ${choice}, in Node`, async () => {
        const socket = dial(require(`socket.io-client-${number}`), server.url, options, generation);
        try {
          await connected(socket);
          const transport = await carries(socket, (s) => settled(s, options));
          assert.equal(transport, options.transports.at(-1));
        } finally {
          socket.disconnect();
        }
      });
    }
    test(`socket.io-client ${number}.x with ${choice}, in Chromium`, async () => {
      const page = await open(browser, `${server.url}/page.html?client=${number}`);
      try {
        await page.waitForFunction(() => window.scenario && window.io);
        const frames = [];
        page.on("websocket", (ws) => {
          ws.on("framesent", ({ payload }) => frames.push(payload));
          ws.on("framereceived", ({ payload }) => frames.push(payload));
        });
        for (const [name, base] of Object.entries(transports)) {
          const transport = await page.evaluate(
            async ([source, options]) => {
              const carries = new Function(`return (${source})`)();
              const socket = await scenario.connected(scenario.dial(io, location.origin, options, generation));
              try {
                return await carries(socket, (s) => scenario.settled(s, options));
              } finally {
                socket.disconnect();
              }
            },
            [carries.toString(), { ...base, ...more }],
          );
          assert.equal(transport, base.transports.at(-1), name);
        }
        const asText = !more.transportOptions?.polling;
        assert.ok(frames.length > 0, "no frames");
        // A session of revision 3 that began without binary goes on so.
        if (asText) assert.equal(frames.filter((payload) => typeof payload !== "string").length, 0, "frames of binary");
        assert.deepEqual(page.problems, []);
      } finally {
        await page.context().close();
      }
    });
  }
}
