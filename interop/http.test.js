// The same log over HTTP: long poll and server-sent events, cut at random and resumed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { contiguous, Server } from "./lib/server.js";

// A job of some seconds that leaves the processors to those who read its log.
const LONG = ["test.flood", { lines: 300, burst: 1, every: 20 }];

let server, root;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  server = await Server.start({ roots: [root] });
});
after(async () => {
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

/** Reads a stream of events until it ends or is cut; calls event(id, type, data) for each. */
function readStream(url, headers, cutAfter, event) {
  return new Promise((resolve, reject) => {
    const req = request(url, { headers: { accept: "text/event-stream", ...headers } }, (res) => {
      if (res.statusCode !== 200) {
        res.resume();
        return resolve({ status: res.statusCode });
      }
      assert.match(res.headers["content-type"], /^text\/event-stream/);
      assert.equal(res.headers["cache-control"], "no-cache, no-transform");
      assert.equal(res.headers["x-accel-buffering"], "no");
      let buffer = "";
      const cut = setTimeout(() => req.destroy(), cutAfter);
      res.on("data", (chunk) => {
        buffer += chunk;
        for (let end; (end = buffer.indexOf("\n\n")) >= 0; buffer = buffer.slice(end + 2)) {
          const fields = {};
          for (const line of buffer.slice(0, end).split("\n")) {
            const colon = line.indexOf(":");
            if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
          }
          if (fields.data !== undefined || fields.event) event(fields.id, fields.event, fields.data);
        }
      });
      res.on("close", () => {
        clearTimeout(cut);
        resolve({ status: 200 });
      });
      res.on("error", () => {});
    });
    req.on("error", (e) => (req.destroyed ? resolve({ status: 0 }) : reject(e)));
    req.end();
  });
}

test("a stream of events that is cut at random resumes without a hole", async () => {
  const { id } = await server.startJob(...LONG);
  const seqs = [];
  let last, ended = false, cuts = 0;
  while (!ended) {
    const headers = last === undefined ? {} : { "last-event-id": last };
    await readStream(`${server.url}/api/jobs/${id}/events`, headers, 100 + Math.random() * 500, (eventId, type, data) => {
      if (type === "end") {
        ended = true;
        return;
      }
      const event = JSON.parse(data);
      assert.equal(String(event.seq), eventId);
      assert.equal(event.type, type);
      seqs.push(event.seq);
      last = eventId;
    });
    cuts++;
    assert.ok(cuts < 500, "the stream never ended");
  }
  contiguous(seqs);
  assert.ok(cuts > 2, `${cuts} connections`);
  assert.deepEqual(seqs, (await server.history(id)).map((e) => e.seq));
  const { status } = await readStream(`${server.url}/api/jobs/${id}/events`, { "last-event-id": last }, 120_000, () => {});
  assert.equal(status, 204, "a client that has everything is told to stop");
});

test("long polls that are cut at random resume without a hole", async () => {
  const { id } = await server.startJob(...LONG);
  const seqs = [];
  let cuts = 0; // since the last answer: on a busy machine one takes longer
  for (let done = false; !done; ) {
    const cut = new AbortController();
    const timer = setTimeout(() => cut.abort(), 50 + Math.random() * 400 * (1 + cuts));
    try {
      const after = seqs.at(-1) ?? 0;
      const response = await fetch(`${server.url}/api/jobs/${id}/events?after=${after}&wait=30s`, { signal: cut.signal });
      assert.equal(response.status, 200);
      const answer = await response.json();
      seqs.push(...answer.events.map((e) => e.seq));
      done = answer.done;
      cuts = 0;
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      cuts++;
    } finally {
      clearTimeout(timer);
    }
  }
  contiguous(seqs);
  assert.deepEqual(seqs, (await server.history(id)).map((e) => e.seq));
});

test("start, wait, read the result and the artifact, as a script does it", async () => {
  writeFileSync(join(root, "hello.txt"), "hello\n");
  const started = await server.api("/api/jobs", {
    method: "POST",
    headers: { prefer: "wait=20", "idempotency-key": "k1" },
    json: { kind: "checksum", args: { path: "hello.txt" } },
  });
  assert.equal(started.status, 200, JSON.stringify(started.body));
  const job = started.body.job ?? started.body;
  const again = await server.api("/api/jobs", {
    method: "POST",
    headers: { "idempotency-key": "k1" },
    json: { kind: "checksum", args: { path: "hello.txt" } },
  });
  assert.equal((again.body.job ?? again.body).id, job.id, "the key makes no second job");
  const other = await server.api("/api/jobs", {
    method: "POST",
    headers: { "idempotency-key": "k1" },
    json: { kind: "checksum", args: { path: "." } },
  });
  assert.equal(other.status, 422);
  const result = await server.api(`/api/jobs/${job.id}/result`);
  assert.deepEqual(result.body, { files: 1, bytes: 6, failed: 0 });
  const artifact = await server.api(`/api/jobs/${job.id}/artifacts/SHA256SUMS`);
  assert.equal(artifact.body, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  hello.txt\n");
  const etag = (await server.api(`/api/jobs/${job.id}`)).headers.get("etag");
  const unchanged = await server.api(`/api/jobs/${job.id}`, { headers: { "if-none-match": etag } });
  assert.equal(unchanged.status, 304);
});
