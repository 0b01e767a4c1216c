// Builds, starts and ends the server of these tests.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, "../..");
const BINARY = join(ROOT, "bin/interop-old");

export class Server {
  static async start(args = []) {
    execFileSync("go", ["build", "-race", "-trimpath", "-o", BINARY, "./interop/old/server"], { cwd: ROOT, stdio: "inherit" });
    const server = new Server();
    server.args = args;
    await server.up("127.0.0.1:0");
    return server;
  }

  async up(listen) {
    this.output = "";
    // A data race ends the program, and so fails the test that met it.
    const env = { ...process.env, GORACE: "halt_on_error=1" };
    this.process = spawn(BINARY, ["-listen", listen, "-files", HERE, ...this.args], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.exited = once(this.process, "exit");
    const seen = (chunk) => (this.output += chunk);
    this.process.stdout.on("data", seen);
    this.process.stderr.on("data", seen);
    const deadline = Date.now() + 120_000;
    for (let address; ; ) {
      address = this.output.match(/listening on http:\/\/(\S+)/)?.[1];
      if (address) {
        this.address = address;
        this.url = `http://${address}`;
        return;
      }
      if (this.process.exitCode !== null || Date.now() > deadline) throw new Error(`the server did not start:\n${this.output}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Ends the server in order, and fails if it does not, or if it met a data race. */
  async stop() {
    this.process.kill("SIGTERM");
    const [code] = await this.exited;
    if (code !== 0) throw new Error(`the server ended with code ${code}:\n${this.output}`);
  }

  async restart() {
    await this.stop();
    await this.up(this.address);
  }
}
