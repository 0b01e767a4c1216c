// Our client in Go against the reference server, over both transports.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { before, test } from "node:test";
import { Server } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import { sleep } from "./lib/server.js";

const ROOT = resolve(import.meta.dirname, "..");
const BINARY = join(ROOT, "bin/interop-goclient");
const ITEMS = 1000;

before(() => {
  execFileSync("go", ["build", "-race", "-trimpath", "-o", BINARY, "./interop/goclient"], { cwd: ROOT, stdio: "inherit" });
});

/** Listens on the port, 0 for any, and hands the end of it to stop. */
async function listen(port, parser, serve) {
  const http = createServer();
  const io = new Server(http, {
    pingInterval: 200,
    pingTimeout: 20_000,
    parser,
    connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
  });
  serve(io);
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  return { port: http.address().port, stop: () => new Promise((done) => io.close(done)) };
}

for (const [name, transport, parser] of [
  ["websocket", "websocket"],
  ["polling", "polling"],
  ["websocket in MessagePack", "websocket", msgpack],
]) {
  test(`the client in Go, over ${name}, and socket.io of Node`, { timeout: 400_000 }, async ({ signal }) => {
    const auths = [];
    const left = [];
    let server;
    const serve = (io) => {
      io.on("connection", (socket) => {
        auths.push(socket.handshake.auth.token);
        socket.on("echo", (...args) => args.pop()(...args));
        socket.on("sum", (numbers, ack) => ack(numbers.reduce((a, b) => a + b)));
        socket.on("ask", async (text, ack) => ack(await socket.timeout(120_000).emitWithAck("confirm", text)));
        socket.on("flood", (n) => {
          for (let i = 0; i < n; i++) socket.emit("item", i);
        });
        socket.on("cut", () => {
          socket.conn.close();
          // What is emitted while nobody is there is what the client has missed.
          for (let i = 0; i < ITEMS; i++) io.to(socket.id).emit("item", i);
        });
        socket.on("restart", async () => {
          const { port, stop } = server;
          await stop();
          await sleep(300);
          server = await listen(port, parser, serve);
        });
        socket.on("leave", () => socket.disconnect());
        socket.on("disconnect", (reason) => left.push(reason));
      });
      io.of("/admin").use((socket, next) => {
        const { token } = socket.handshake.auth;
        next(token === "secret" ? undefined : Object.assign(new Error("not authorized"), { data: { token } }));
      });
    };
    server = await listen(0, parser, serve);
    let program;
    try {
      const env = { ...process.env, GORACE: "halt_on_error=1" };
      const args = ["-url", `http://127.0.0.1:${server.port}`, "-transport", transport];
      if (parser) args.push("-msgpack");
      program = spawn(BINARY, args, { env, signal, killSignal: "SIGKILL", stdio: ["ignore", "pipe", "pipe"] });
      let out = "";
      let err = "";
      program.on("error", () => {}); // the test's time is over
      program.stdout.on("data", (chunk) => (out += chunk));
      program.stderr.on("data", (chunk) => (err += chunk));
      const [code] = await once(program, "close");
      assert.equal(code, 0, err + out);
      const steps = out.trim().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(steps, [
        ["recovered", false],
        [
          "echo",
          {
            args: ["<é😀>", { _placeholder: true, num: 0 }, { n: 12345678901234567890, b: { _placeholder: true, num: 1 } }],
            attachments: [Buffer.from("second").toString("base64"), Buffer.from([0, 1, 2, 255]).toString("base64")],
          },
        ],
        ["sum", 6],
        ["ask", "sure!"],
        ["refused", { Namespace: "/admin", Message: "not authorized", Data: { token: "guess" } }],
        ["unknown", { Namespace: "/unknown", Message: "Invalid namespace", Data: null }],
        ["flood", ITEMS],
        ["never", true],
        ["alive", true],
        ["cut", "transport close"],
        ["recovered", true],
        ["same", true],
        ["missed", ITEMS],
        ["restart", steps.find(([step]) => step === "restart")?.[1]],
        ["recovered", false],
        ["flood", ITEMS],
        ["leave", "io server disconnect"],
        ["emit", true],
      ]);
      // A client that polls is between two requests now and then when the server goes.
      assert.match(steps.find(([step]) => step === "restart")[1], /^transport (close|error)$/);
      assert.deepEqual(auths, ["secret", "secret", "secret"]);
      assert.deepEqual(left, ["forced close", "server shutting down", "server namespace disconnect"]);
    } finally {
      program?.kill("SIGKILL");
      await server.stop();
    }
  });
}
