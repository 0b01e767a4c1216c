// The page in Chromium, against the real program: start, watch, reload, join late, cancel, crash.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { by, launch, open } from "./lib/browser.js";
import { contiguous, Server, sleep, TERMINAL, until } from "./lib/server.js";

const GO_SOURCE = join(execFileSync("go", ["env", "GOROOT"], { encoding: "utf8" }).trim(), "src");

// Takes fifteen seconds and no processor: long enough to be met in its middle.
const LONG = ["test.flood", { lines: 300, burst: 1, every: 50 }];

let server, browser, big;
before(async () => {
  // A file that takes seconds to read, and no room on the disk.
  big = mkdtempSync(join(tmpdir(), "jobcast-big-"));
  writeFileSync(join(big, "zeros"), "");
  truncateSync(join(big, "zeros"), 6e9);
  server = await Server.start({ roots: [GO_SOURCE, big] });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(big, { recursive: true, force: true });
});

const state = (page) => by(page, "job-state").first().getAttribute("data-state");
const seqs = (page) => page.evaluate(() => window.jobcastSeqs);

async function finished(page, timeout = 180_000) {
  return until("the page shows the end of the job", async () => {
    const now = await state(page).catch(() => null);
    return TERMINAL.includes(now) && now;
  }, timeout);
}

test("a checksum of Go's own source tree, from the page's form to a list that sha256sum -c reads", async () => {
  const page = await open(browser, server.url);
  await by(page, "kind").selectOption("checksum").catch(() => by(page, "kind").locator("[value=checksum]").check({ force: true }));
  await by(page, "path").fill(GO_SOURCE);
  const percents = [];
  await by(page, "start").click();
  await page.waitForURL(/\/jobs\/[0-9A-Za-z_-]+/);
  const id = new URL(page.url()).pathname.split("/").pop();
  assert.equal(
    await until("the end of the job", async () => {
      percents.push(await by(page, "job-percent").first().textContent().catch(() => ""));
      const now = await state(page).catch(() => null);
      return TERMINAL.includes(now) && now;
    }, 120_000),
    "completed",
  );
  await until("100 %", async () => /100/.test(await by(page, "job-percent").first().textContent()));
  assert.ok(percents.some((p) => p && !/100/.test(p)), `the bar moved: ${percents.slice(0, 20)}`);
  contiguous(await seqs(page));

  const link = by(page, "artifact").first();
  await link.waitFor();
  const href = await link.evaluate((a) => (a.closest("a") ?? a.querySelector("a")).getAttribute("href"));
  const sums = await (await fetch(new URL(href, server.url))).text();
  const file = join(big, "SHA256SUMS");
  writeFileSync(file, sums);
  execFileSync("sha256sum", ["--quiet", "--strict", "-c", file], { cwd: GO_SOURCE });
  rmSync(file);
  const files = Number(execFileSync("bash", ["-c", "find . -type f | wc -l"], { cwd: GO_SOURCE, encoding: "utf8" }));
  const job = await server.job(id);
  assert.equal(job.result.files, files);
  assert.equal(job.result.failed, 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a reload in mid-job, a second tab and a late joiner all end with the same list", async () => {
  const { id } = await server.startJob(...LONG);
  const url = `${server.url}/jobs/${id}`;
  const first = await open(browser, url);
  const second = await open(browser, `${url}?transport=polling`);
  await until("the first page sees progress", async () => ((await seqs(first)) ?? []).length > 3);
  await first.reload();
  await sleep(700);
  await first.reload();
  const late = await open(browser, url);
  for (const page of [first, second, late]) assert.equal(await finished(page), "completed");
  const afterwards = await open(browser, url);
  await finished(afterwards);
  const log = (await server.history(id)).map((e) => e.seq);
  contiguous(log);
  assert.ok(log.length > 5, `${log.length} events`);
  for (const page of [first, second, late, afterwards]) {
    assert.deepEqual(await seqs(page), log);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
});

test("kill -9 in mid-job: the page comes back by itself, and the job is finished by a new attempt", async () => {
  const { id } = await server.startJob(...LONG);
  const pages = [];
  for (const transport of ["websocket", "polling"]) {
    pages.push(await open(browser, `${server.url}/jobs/${id}?transport=${transport}`));
  }
  for (const page of pages) await until("progress", async () => ((await seqs(page)) ?? []).length > 3);
  await server.kill();
  await sleep(300);
  await server.up();
  for (const page of pages) assert.equal(await finished(page), "completed");
  const log = await server.history(id);
  contiguous(log.map((e) => e.seq));
  assert.deepEqual(
    log.filter((e) => e.type === "job.started").map((e) => e.attempt),
    [1, 2],
  );
  const ends = log.filter((e) => TERMINAL.includes(e.type.slice("job.".length)));
  assert.equal(ends.length, 1, "exactly one terminal event");
  assert.equal(log.at(-1), ends[0]);
  for (const page of pages) {
    assert.deepEqual(await seqs(page), log.map((e) => e.seq));
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
});

test("Cancel on the page stops the worker and says so", async () => {
  const { id } = await server.startJob("checksum", { path: big });
  const page = await open(browser, `${server.url}/jobs/${id}`);
  await until("the job runs", async () => (await state(page)) === "running");
  await by(page, "cancel").click();
  await by(page, "cancel-confirm").click();
  assert.equal(await finished(page), "cancelled");
  // What the worker had reported by then is stored between the two.
  const ends = (await server.history(id)).filter((e) => e.type !== "job.progress").slice(-2);
  assert.deepEqual(ends.map((e) => e.type), ["job.cancelling", "job.cancelled"]);
  assert.doesNotMatch(server.output, /a worker did not stop in time/);
  const again = await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
  assert.equal(again.status, 200);
  assert.equal(again.body.outcome, "already_finished");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a CSV file that is dropped on the page is profiled", async () => {
  const csv = join(big, "people.csv");
  writeFileSync(csv, "name,age,joined\nAda,36,1842-10-01\nAlan,41,1936-05-28\nGrace,,1944-07-02\nbroken,row\n");
  const page = await open(browser, server.url);
  await by(page, "kind").selectOption("csv.profile").catch(() => by(page, "kind").locator("[value='csv.profile']").check({ force: true }));
  await by(page, "file").setInputFiles(csv);
  await by(page, "start").click();
  await page.waitForURL(/\/jobs\/[0-9A-Za-z_-]+/);
  assert.equal(await finished(page), "completed");
  const text = await by(page, "result").textContent();
  for (const word of ["name", "age", "joined"]) assert.ok(text.includes(word), `the result shows ${word}: ${text}`);
  const job = await server.job(new URL(page.url()).pathname.split("/").pop());
  assert.equal(job.result.columns?.length ?? job.result.columnCount, 3, JSON.stringify(job.result));
  assert.deepEqual(page.problems, []);
  await page.context().close();
  rmSync(csv);
});

test("a CSV file that is not as it should be is profiled, and the page says what was unusual", async () => {
  const csv = join(big, "pipes.csv");
  writeFileSync(csv, "Pipes in stock,,\n,,\nid,size,name\n1,2\" pipe,a\n2,3\" pipe,b\n3,4,5,6\n");
  const { id } = await server.startJob("csv.profile", { path: csv });
  const page = await open(browser, `${server.url}/jobs/${id}`);
  assert.equal(await finished(page), "completed");
  const folded = await by(page, "result").locator("details").evaluateAll((all) => all.map((one) => one.textContent));
  assert.equal(folded.length, 2, folded.join(" | "));
  assert.match(folded[0], /^Rows that do not fit \(1\)Line 6 has 4 fields, where the header has 3$/);
  assert.match(folded[1], /^Remarks \(3\)Line 1 is above the header, which is line 3.*Line 4 has a quote inside.*Line 5 has a quote inside/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
  rmSync(csv);
});

test("figures are shown with all their digits", async () => {
  const csv = join(big, "ids.csv");
  writeFileSync(csv, "id,hash,delta,share\n738529527931269425,18446744073709551615,+5,1234.56789\n738529527931269427,1,-9007199254740993,0.12345678901234567891\n");
  const { id } = await server.startJob("csv.profile", { path: csv });
  const page = await open(browser, `${server.url}/jobs/${id}`);
  assert.equal(await finished(page), "completed");
  const rows = await by(page, "result").locator("tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(rows.map(([name, type, , , min, max]) => [name, type, min, max]), [
    ["id", "integer", "738,529,527,931,269,425", "738,529,527,931,269,427"],
    ["hash", "integer", "1", "18,446,744,073,709,551,615"],
    ["delta", "integer", "-9,007,199,254,740,993", "5"],
    ["share", "number", "0.12345678901234567891", "1,234.56789"],
  ]);
  assert.deepEqual(page.problems, []);
  await page.context().close();
  rmSync(csv);
});

test("a path outside of the roots is refused at its field, and no job is made", async () => {
  const page = await open(browser, server.url);
  await by(page, "kind").selectOption("checksum").catch(() => by(page, "kind").locator("[value=checksum]").check({ force: true }));
  await by(page, "path").fill("/etc");
  const before = (await server.api("/api/jobs")).body.jobs.length;
  await by(page, "start").click();
  await until("an error at the form", async () => (await by(page, "error").first().textContent())?.length > 10);
  assert.equal((await server.api("/api/jobs")).body.jobs.length, before);
  await page.context().close();
});

test("a worker that panics costs its own job only", async () => {
  const other = await server.startJob(...LONG);
  const { id } = await server.startJob("test.panic", {});
  const page = await open(browser, `${server.url}/jobs/${id}`);
  assert.equal(await finished(page), "failed");
  const job = await server.job(id);
  assert.equal(job.error.type, "panic");
  assert.match(job.error.message, /on purpose/);
  assert.equal((await server.waitFor(other.id, TERMINAL)).state, "completed");
  await page.context().close();
});
