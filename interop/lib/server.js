// Starts and kills the real program, and gives tests what they need of it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const BINARY = resolve(import.meta.dirname, "../../bin/jobcast-test");

// A port that nobody else takes while the server is down: systems choose those of outgoing connections
// above 32,767.
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const probe = createServer().listen(port, "127.0.0.1");
    if (!(await once(probe, "listening").then(() => true, () => false))) continue;
    probe.close();
    await once(probe, "close");
    return port;
  }
}

export class Server {
  /** @param {{roots?: string[], args?: string[], binary?: string}} options */
  static async start(options = {}) {
    const server = new Server();
    server.options = options;
    server.data = mkdtempSync(join(tmpdir(), "jobcast-data-"));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    await server.up();
    return server;
  }

  async up() {
    const { roots = [], args = [], binary = BINARY } = this.options;
    const argv = ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.data];
    for (const root of roots) argv.push("--root", root);
    this.output = "";
    // A data race ends the program, and so fails the test that met it.
    const env = { ...process.env, GORACE: "halt_on_error=1" };
    this.process = spawn(binary, [...argv, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.exited = once(this.process, "exit");
    const seen = (chunk) => (this.output += chunk);
    this.process.stdout.on("data", seen);
    this.process.stderr.on("data", seen);
    const deadline = Date.now() + 120_000;
    while (!/listening on https?:/.test(this.output)) {
      if (this.process.exitCode !== null || this.process.signalCode !== null || Date.now() > deadline) {
        throw new Error(`the server did not start (make interop builds bin/jobcast-test):\n${this.output}`);
      }
      await sleep(20);
    }
    this.url = this.output.match(/listening on (https?:\/\/[^,]+),/)?.[1] ?? this.url;
  }

  /** kill -9, as a machine that loses power does it to the process. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.exited;
  }

  /** Ends the server in order, and fails if it does not, or if it met a data race. */
  async stop() {
    this.process.kill("SIGTERM");
    const [code] = await this.exited;
    rmSync(this.data, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with code ${code}:\n${this.output}`);
  }

  async api(path, init = {}) {
    const headers = { ...(init.json ? { "content-type": "application/json" } : {}), ...init.headers };
    const body = init.json ? JSON.stringify(init.json) : init.body;
    const response = await fetch(this.url + path, { ...init, headers, body });
    const text = await response.text();
    let parsed;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = text;
    }
    return { status: response.status, headers: response.headers, body: parsed };
  }

  /** Starts a job over HTTP and returns its snapshot. */
  async startJob(kind, args) {
    const { status, body } = await this.api("/api/jobs", { method: "POST", json: { kind, args } });
    if (status !== 202 && status !== 200) throw new Error(`start: ${status} ${JSON.stringify(body)}`);
    return body.job ?? body;
  }

  async job(id) {
    const { body } = await this.api(`/api/jobs/${id}`);
    return body.job ?? body;
  }

  /** Waits until the job is in one of the states. */
  async waitFor(id, states, timeout = 240_000) {
    const deadline = Date.now() + timeout;
    for (;;) {
      const job = await this.job(id);
      if (states.includes(job.state)) return job;
      if (Date.now() > deadline) throw new Error(`job ${id} is ${job.state}, want ${states}`);
      await sleep(50);
    }
  }

  /** The whole log of a job, by as many requests as it takes. */
  async history(id) {
    const all = [];
    for (let after = 0; ; ) {
      const { body } = await this.api(`/api/jobs/${id}/events?after=${after}&wait=0&limit=1000`);
      all.push(...body.events);
      if (!body.hasMore || body.events.length === 0) return all;
      after = all.at(-1).seq;
    }
  }
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function until(what, check, timeout = 180_000) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`timed out: ${what}`);
    await sleep(25);
  }
}

export const TERMINAL = ["completed", "failed", "cancelled"];

/** Throws unless seqs is from, from+1, … to its end. */
export function contiguous(seqs, from = 1) {
  seqs.forEach((seq, i) => {
    if (seq !== from + i) throw new Error(`seq ${seq} at place ${i}, want ${from + i}: ${seqs.slice(0, 50)}`);
  });
}
