// The stock clients of every generation in Node.
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { Server } from "./lib.js";
import { comesBack, connected, dial, generations, scenario, settled, transports } from "./scenario.js";

const require = createRequire(import.meta.url);

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

for (const [number, generation] of Object.entries(generations)) {
  if (generation.early) continue;
  const io = require(`socket.io-client-${number}`);
  const { version } = require(`socket.io-client-${number}/package.json`);
  for (const [name, options] of Object.entries(transports)) {
    test(`socket.io-client ${version} over ${name}`, () => scenario(io, server.url, options, generation));

    test(`socket.io-client ${version} over ${name} comes back after a restart`, async () => {
      const socket = await connected(dial(io, server.url, options, generation));
      try {
        await settled(socket, options);
        await server.restart();
        await comesBack(socket);
      } finally {
        socket.disconnect();
      }
    });
  }
}
