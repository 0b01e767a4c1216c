// The page as people use it: names in any script, files dropped on it, a server that is away, a telephone.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { by, launch, live, open } from "./lib/browser.js";
import { Server, sleep, TERMINAL, until } from "./lib/server.js";

const TELEPHONE = { viewport: { width: 390, height: 800 } };

// Runs for minutes, or until it is cancelled, and needs no processor.
const ENDLESS = ["test.flood", { lines: 20_000, burst: 1, every: 20 }];

let server, browser, root;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-use-"));
  mkdirSync(join(root, "small"));
  writeFileSync(join(root, "small", "one"), "1");
  writeFileSync(join(root, "zeros"), "");
  truncateSync(join(root, "zeros"), 6e9); // seconds to read, and no room on the disk
  server = await Server.start({ roots: [root], binary: process.env.JOBCAST_BINARY });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

const offline = (page) => until("offline", async () => (await by(page, "badge").getAttribute("data-state")) === "offline");
const choose = (page, kind) => by(page, "kind").locator(`[value="${kind}"]`).check({ force: true });
const jobs = async (query = "") => (await server.api(`/api/jobs${query}`)).body.jobs;
const opened = (page) => new URL(page.url()).pathname.split("/").pop();

/** Drops files on the page as a person does; the browser opens them where the page does not take them. */
async function drop(page, selector, files) {
  await page.locator(selector).first().scrollIntoViewIfNeeded();
  const box = await page.locator(selector).first().boundingBox();
  const to = { x: box.x + Math.min(box.width, 300) / 2, y: box.y + Math.min(box.height, 200) / 2 };
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await devtools.send("Input.dispatchDragEvent", { type, ...to, data });
  await devtools.detach();
}

// ---- files

for (const name of ["表格.csv", "été à 100 %, нет & #1?.csv", "😀+a;b.csv", "a%2Fb.csv", `${"長".repeat(80)}.csv`]) {
  test(`a file is uploaded under its own name: ${name.slice(0, 30)}`, async () => {
    const page = await open(browser, server.url);
    await choose(page, "csv.profile");
    await by(page, "file").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2\n") });
    await by(page, "start").click();
    await page.waitForURL(/\/jobs\//);
    const job = await server.job(opened(page));
    const kept = job.args.upload.slice("A".repeat(26).length + 1);
    if (Buffer.byteLength(name) <= 200) assert.equal(kept, name);
    else assert.match(kept, /^長{60,65}\.csv$/);
    assert.equal((await server.waitFor(job.id, TERMINAL)).state, "completed");
    await until("the page names the file", async () => (await page.locator("main").textContent()).includes(kept));
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

test("a file that is dropped anywhere on the page is taken, and chooses the kind", async () => {
  const file = join(root, "dropped 表.csv");
  writeFileSync(file, "a,b\n1,2\n");
  for (const [path, where] of [["/", "h1"], ["/", ".top"], ["/", "[data-testid=path]"], ["/jobs/nothing", "main"]]) {
    const page = await open(browser, server.url + path);
    await live(page);
    await drop(page, where, [file]);
    await until(`the file is in the form, dropped on ${where} of ${path}`, async () => (await page.locator(".zone-title").textContent()) === "dropped 表.csv");
    assert.equal(await by(page, "kind").locator("[value='csv.profile']").isChecked(), true);
    await by(page, "start").click();
    await page.waitForURL(/\/jobs\/(?!nothing)/);
    assert.equal((await server.waitFor(opened(page), TERMINAL)).result.rows, 1);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
  rmSync(file);
});

test("several files and a directory: one file is taken, and the rest is told", async () => {
  const files = ["one.csv", "two.csv"].map((name) => join(root, name));
  for (const file of files) writeFileSync(file, "a\n1\n");
  const page = await open(browser, server.url);
  await live(page);
  const said = async () => (await by(page, "error").allTextContents()).join(" ");
  await drop(page, "h1", files);
  await until("what was not taken is said", async () => /one\.csv was taken, and 1 other not/.test(await said()));
  await drop(page, "h1", [join(root, "small")]);
  await until("a directory is none", async () => /directory/.test(await said())).catch(async (error) => { throw new Error(`${error.message}, got ${await said()}`); });
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a drop on a page that takes no files opens none", async () => {
  const file = join(root, "open.txt");
  writeFileSync(file, "opened");
  for (const path of ["/vote/", "/chat/", "/console/", "/compare/"]) {
    const page = await open(browser, server.url + path);
    await page.evaluate(() => {
      window.held = [];
      window.addEventListener("dragover", (event) => window.held.push([event.defaultPrevented, event.dataTransfer.dropEffect]));
    });
    await drop(page, "h1", [file]);
    // What the page has not refused the browser opens.
    const held = await page.evaluate(() => window.held);
    assert.ok(held.length > 0 && held.every(([refused, effect]) => refused && effect === "none"), JSON.stringify(held));
    assert.equal(page.url(), server.url + path);
    await page.context().close();
  }
});

test("an upload that was cut is sent again from where that is shown", async () => {
  const page = await open(browser, server.url);
  await choose(page, "csv.profile");
  await page.route("**/api/uploads/**", (route) => route.abort("connectionreset"), { times: 1 });
  await by(page, "file").setInputFiles({ name: "cut.csv", mimeType: "text/csv", buffer: Buffer.from("a\n1\n") });
  await by(page, "start").click();
  await by(page, "upload-again").click();
  await page.waitForURL(/\/jobs\//);
  assert.equal((await server.waitFor(opened(page), TERMINAL)).state, "completed");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

// ---- a server that is away

/** A page on which Start was pressed after the server was killed, and which says that it waits. */
async function startWhileAway() {
  const page = await open(browser, server.url);
  await live(page);
  await choose(page, "checksum");
  await by(page, "path").fill("small");
  await server.kill();
  await offline(page);
  await by(page, "start").click();
  await until("the page says what it waits for", () => by(page, "waiting").isVisible());
  return page;
}

test("a start waits in sight for a server that is away, and happens when it is back", async () => {
  const page = await startWhileAway();
  assert.match(await by(page, "waiting").textContent(), /Waiting for the server · stop waiting/);
  await server.up();
  await page.waitForURL(/\/jobs\//, { timeout: 120_000 });
  assert.equal((await server.waitFor(opened(page), TERMINAL)).state, "completed");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("who stops waiting has started and cancelled nothing", async () => {
  const { id } = await server.startJob(...ENDLESS);
  const before = (await jobs()).length;
  const list = await open(browser, server.url);
  const job = await open(browser, `${server.url}/jobs/${id}`);
  await live(list);
  await until("the job runs", async () => (await by(job, "job-state").getAttribute("data-state")) === "running");
  await choose(list, "checksum");
  await by(list, "path").fill("small");
  await server.kill();
  await offline(list);
  await offline(job);
  await by(list, "start").click();
  await by(job, "cancel").click();
  await by(job, "cancel-confirm").click();
  for (const page of [list, job]) {
    await by(page, "stop-waiting").click();
    assert.equal(await by(page, "waiting").isVisible(), false);
  }
  assert.equal(await by(list, "start").isEnabled(), true);
  assert.equal(await by(job, "cancel").isEnabled(), true);
  await server.up();
  await live(list);
  await live(job);
  // Both pages have asked again for what they show, and what they were to send would have come before that.
  await until("the second attempt on the job's page", () => by(job, "job-restarted").isVisible());
  await until("and in the list", async () => /Attempt 2/.test(await list.locator(`[data-id="${id}"]`).textContent()));
  assert.equal((await jobs()).length, before, "no job was started");
  assert.ok(!(await server.history(id)).some((event) => event.type === "job.cancelling"));
  await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
  assert.deepEqual([...list.problems, ...job.problems], []);
  await list.context().close();
  await job.context().close();
});

test("a view that is left takes with it what it has asked for", async () => {
  const before = (await jobs()).length;
  const page = await startWhileAway();
  await by(page, "job-title").first().click();
  await page.waitForURL(/\/jobs\//);
  await server.up();
  await live(page);
  await sleep(500); // what were sent with the connection would be here
  assert.equal((await jobs()).length, before);
  await page.context().close();
});

test("after a kill the page says that the server restarted, and which attempt this is", async () => {
  const { id } = await server.startJob(...ENDLESS);
  const page = await open(browser, `${server.url}/jobs/${id}`);
  await until("progress", async () => parseFloat(await by(page, "job-percent").textContent()) > 1);
  assert.equal(await by(page, "job-attempt").isVisible(), false, "the first attempt is not worth a word");
  assert.equal(await by(page, "job-restarted").isVisible(), false);
  await server.kill();
  await server.up();
  await until("the note", async () => (await by(page, "job-restarted").textContent()) === "The server restarted; attempt 2");
  assert.equal(await by(page, "job-attempt").textContent(), "2 (1 lost)");
  await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
  await until("the timeline has it too", async () => (await by(page, "timeline").textContent()).includes("The server restarted; attempt 2"));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

// ---- a flood of text

test("where text comes too late, the state goes ahead of it, and the page skips to its end and says so", async () => {
  const { id } = await server.startJob("test.flood", { lines: 100_000, burst: 1, every: 5 });
  const page = await (await browser.newContext()).newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  // Everything but the text passes at once; the text waits on its way.
  let held = null;
  await page.routeWebSocket(/socket\.io/, (ws) => {
    const to = ws.connectToServer();
    ws.onMessage((message) => to.send(message));
    to.onMessage((message) => {
      if (held && String(message).includes('"job:log"')) held.push(message);
      else ws.send(message);
    });
    page.release = () => {
      const messages = held;
      held = null;
      for (const message of messages) ws.send(message);
    };
  });
  await page.goto(`${server.url}/jobs/${id}?transport=websocket`);
  await until("text", async () => (await by(page, "log-line").count()) > 100);
  assert.equal(await by(page, "log-gap").count(), 0);
  const share = async () => parseFloat(await by(page, "job-percent").textContent()); // NaN until there is one
  await until("a share", async () => (await share()) >= 0);
  held = [];
  const before = await share();
  await until("the state goes on", async () => (await share()) >= before + 1);
  const { log } = await server.job(id);
  page.release();
  await until("the newest text", async () => Number(await by(page, "log-line").last().getAttribute("data-line")) >= log.lines);
  await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
  await until("the end", async () => (await by(page, "job-state").getAttribute("data-state")) === "cancelled");
  await until("what was skipped is said", async () => {
    await by(page, "log").evaluate((log) => { log.scrollTop = 0; }); // more of it comes into the document
    return (await by(page, "log-gap").count()) > 0;
  });
  // It can be read all the same.
  const gap = by(page, "log-gap").last();
  const words = await gap.textContent();
  assert.match(words, /^[\d,]+ lines skipped: they came faster than they can be shown/);
  await gap.getByRole("button").click();
  await until("a smaller gap", async () => (await gap.textContent().catch(() => "")) !== words);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

// ---- a telephone, and the way back

test("on a telephone the list comes before the form, which is folded and within reach", async () => {
  const page = await open(browser, server.url, TELEPHONE);
  await by(page, "job-row").first().waitFor();
  assert.equal(await by(page, "start").isVisible(), false);
  const order = await page.evaluate(() => document.querySelector(".rows").compareDocumentPosition(document.querySelector(".start")) & Node.DOCUMENT_POSITION_FOLLOWING);
  assert.ok(order, "the list is before the form in the document");
  const list = await page.locator(".rows").boundingBox();
  const fold = page.getByRole("button", { name: "Start a job" });
  assert.ok((await fold.boundingBox()).y > list.y);
  await fold.click();
  await choose(page, "checksum");
  await by(page, "path").fill("small");
  await by(page, "start").click();
  await page.waitForURL(/\/jobs\//);
  await page.context().close();
});

test("what is cut off on a telephone fades out on that side", async () => {
  const page = await open(browser, server.url, TELEPHONE);
  await by(page, "job-row").first().waitFor();
  for (const box of [".nav", ".filters"]) {
    const more = () => page.locator(box).getAttribute("data-more");
    await until(`${box} has more on its right`, async () => (await more()) === "right");
    assert.notEqual(await page.locator(box).evaluate((node) => getComputedStyle(node).maskImage), "none");
    await page.locator(box).evaluate((node) => { node.scrollLeft = 10_000; });
    await until(`${box} has more on its left`, async () => (await more()) === "left");
  }
  await page.context().close();
});

test("Back from a job comes to the same place of the list, also after a reload", async () => {
  for (let i = 0; i < 90; i++) await server.startJob("checksum", { path: "small" });
  await until("they are done", async () => (await jobs("?state=completed&limit=200")).length >= 90);
  const page = await open(browser, `${server.url}/?state=completed`);
  await by(page, "more").click();
  await until("more than one page of jobs", async () => (await by(page, "job-row").count()) > 80);
  for (const reload of [false, true]) {
    await by(page, "job-row").nth(70).scrollIntoViewIfNeeded();
    const id = await by(page, "job-row").nth(70).getAttribute("data-id");
    const at = await page.evaluate(() => scrollY);
    assert.ok(at > 1000, `scrolled to ${at}`);
    await by(page, "job-row").nth(70).getByTestId("job-title").click();
    await page.waitForURL(/\/jobs\//);
    if (reload) await page.reload();
    await page.goBack();
    await until(`the same place, ${at}`, async () => Math.abs((await page.evaluate(() => scrollY)) - at) < 50);
    assert.equal(await by(page, "job-row").nth(70).getAttribute("data-id"), id);
    assert.ok(page.url().endsWith("/?state=completed"));
  }
  // The link of the job's page goes the same way.
  await by(page, "job-row").nth(70).getByTestId("job-title").click();
  await page.locator(".crumb").click();
  await until("the same place", async () => (await page.evaluate(() => scrollY)) > 1000);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("an empty log is small, there is nothing to follow in it, and a moment has no rate", async () => {
  const { id } = await server.startJob("checksum", { path: "zeros" }); // it writes no log
  const page = await open(browser, `${server.url}/jobs/${id}`);
  await until("the job runs", async () => (await by(page, "job-state").getAttribute("data-state")) === "running");
  const { height } = await by(page, "log").boundingBox();
  assert.ok(height < 100, `${height} pixels`);
  await server.api(`/api/jobs/${id}/cancel`, { method: "POST", json: {} });
  const short = await server.startJob("checksum", { path: "small" });
  await server.waitFor(short.id, TERMINAL);
  const over = await open(browser, `${server.url}/jobs/${short.id}`);
  await until("its end", async () => (await by(over, "job-state").getAttribute("data-state")) === "completed");
  assert.equal(await by(over, "follow").isVisible(), false);
  assert.ok(!(await over.locator(".hero").innerText()).includes("Average"));
  await page.context().close();
  await over.context().close();
});

test("the bars of the vote are shares, and the tutorial's votes are said to be its", async () => {
  const page = await open(browser, `${server.url}/vote/`);
  await by(page, "vote-1").click();
  const { candidates } = (await server.api("/api/vote")).body;
  await until("the tutorial's votes", async () => /1,100 of them the tutorial/.test(await by(page, "total").textContent()));
  const shares = await page.locator(".candidate .bar-fill").evaluateAll((fills) => fills.map((fill) => parseFloat(fill.style.getPropertyValue("--done"))));
  const sum = candidates.reduce((n, one) => n + one.count, 0);
  candidates.forEach((one, i) => assert.ok(Math.abs(shares[i] - (100 * one.count) / sum) < 0.5, `${shares}`));
  await page.context().close();
});
