// The form that is drawn from what the server says of its kinds, and the list that is searched.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { by, launch, open } from "./lib/browser.js";
import { Server, TERMINAL, until } from "./lib/server.js";

let server, browser, root;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-form-"));
  for (const name of ["apples", "pears"]) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, "one"), "1");
  }
  writeFileSync(join(root, "rows.csv"), `a,b\n1,2\n${"3,4\n".repeat(5)}5,6,7\n`);
  server = await Server.start({ roots: [root] });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

// The bar at the top may lie over a kind that was scrolled away, and the list of kinds be drawn again under the click.
const choose = async (page, kind) => {
  const radio = by(page, "kind").locator(`[value="${kind}"]`);
  await until(`${kind} is chosen`, async () => {
    await radio.evaluate((node) => node.scrollIntoView({ block: "center" }));
    await radio.check({ force: true, timeout: 10_000 }).catch(() => {});
    return radio.isChecked();
  });
};
const opened = (page) => new URL(page.url()).pathname.split("/").pop();
const titles = (page) => by(page, "job-title").allTextContents();
const shown = (page, want) => until(`the list is ${want}`, async () => (await titles(page)).join(", ") === want.join(", "))
  .catch(async (error) => { throw new Error(`${error.message}, got ${await titles(page)}`); });

async function start(kind, args, more = {}) {
  const { status, body } = await server.api("/api/jobs", { method: "POST", json: { kind, args, ...more } });
  assert.ok(status < 300, JSON.stringify(body));
  await server.waitFor((body.job ?? body).id, TERMINAL);
  return body.job ?? body;
}

test("every kind that the server has is in the form, and one of one's own is started from it", async () => {
  const page = await open(browser, server.url);
  await by(page, "kind").waitFor();
  const { kinds } = (await server.api("/api/kinds")).body;
  assert.deepEqual(await by(page, "kind").locator("input").evaluateAll((all) => all.map((one) => one.value)), kinds.map((kind) => kind.name));
  await choose(page, "test.form");
  // What is set beforehand, and what is optional, is drawn as the schema says.
  assert.equal(await by(page, "arg-count").inputValue(), "3");
  assert.equal(await by(page, "arg-colour").evaluate((select) => select.selectedOptions[0].text), "green");
  assert.equal(await by(page, "arg-name").getAttribute("placeholder"), "ada");
  await by(page, "arg-name").fill("grace");
  await by(page, "arg-note").fill("two\nlines");
  await by(page, "arg-count").fill("7");
  await by(page, "arg-share").fill("0.25");
  await by(page, "arg-deep").check();
  await by(page, "arg-colour").selectOption({ label: "red" });
  await by(page, "arg-words").fill("one\n\n  two \n");
  await by(page, "arg-sizes").fill("1\n22");
  await by(page, "arg-inside").fill('{"x": 1}');
  await by(page, "arg-any").fill('{"y": [true, null]}');
  await page.getByText("Title and tags").click();
  await by(page, "title").fill("One of each");
  await by(page, "tags").fill("first, second one");
  await by(page, "start").click();
  await page.waitForURL(/\/jobs\//);
  const job = await server.waitFor(opened(page), TERMINAL);
  assert.deepEqual(job.result, {
    name: "grace", note: "two\nlines", count: 7, share: 0.25, deep: true, colour: "red", words: ["one", "two"], sizes: [1, 22], inside: { x: 1 }, any: { y: [true, null] },
  });
  assert.deepEqual([job.title, job.tags], ["One of each", ["first", "second one"]]);
  await until("the title, on the page and in its tab", async () => (await by(page, "job-title").textContent()) === "One of each" && (await page.title()) === "completed · One of each · Jobcast");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what is wrong is said at its field, by the page or by the server, and starts nothing", async () => {
  const page = await open(browser, server.url);
  const jobs = async () => (await server.api("/api/jobs?limit=200")).body.jobs.length;
  const before = await jobs();
  await choose(page, "test.form");
  const wrong = async (field, value, sentence) => {
    await by(page, field).fill(value);
    await by(page, "start").click();
    await until(`${field} = ${value}: ${sentence}`, async () => sentence.test((await by(page, "error").allTextContents()).join(" ")));
    assert.equal(await by(page, field).getAttribute("aria-invalid"), "true");
    assert.equal(await by(page, field).evaluate((node) => node === document.activeElement), true);
  };
  await wrong("arg-name", "", /This is needed/);
  await wrong("arg-name", "Grace", /must match/);
  await by(page, "arg-name").fill("grace");
  await wrong("arg-count", "x", /whole number/);
  await wrong("arg-count", "12345678901234567890", /whole numbers of at most/);
  await wrong("arg-count", "10", /at most 9/);
  await by(page, "arg-count").fill("9");
  await wrong("arg-share", "1,5", /not a number/);
  await by(page, "arg-share").fill("");
  await wrong("arg-words", "a\nb\nc", /at most 2 items/);
  await by(page, "arg-words").fill("");
  await wrong("arg-any", "{", /not JSON/);
  await by(page, "arg-any").fill("");
  await choose(page, "csv.profile");
  await by(page, "start").click();
  await until("one of two is needed", async () => /Give one of these: File, Path on the server/.test(await by(page, "error").textContent()));
  await wrong("path", "/etc/passwd", /./);
  // A look at another kind keeps what was typed.
  await choose(page, "test.form");
  assert.equal(await by(page, "arg-name").inputValue(), "grace");
  assert.equal(await jobs(), before);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a row says what its job works on, and the list is searched, narrowed and sorted, as the address says", async () => {
  await start("checksum", { path: "pears" }, { tags: ["nightly"] });
  await start("checksum", { path: "apples" });
  await start("csv.profile", { path: "rows.csv" }, { tags: ["nightly", "weekly"] });
  const page = await open(browser, server.url);
  await until("the rows", async () => (await titles(page)).includes("Checksum of pears"));
  await by(page, "search").fill("checksum PEAR");
  await shown(page, ["Checksum of pears"]);
  await until("the address", () => new URL(page.url()).searchParams.get("q") === "checksum PEAR");
  await by(page, "search").fill("nothing like this");
  await until("nothing", async () => (await page.locator("main").innerText()).includes("No such jobs"));
  await page.getByRole("button", { name: "Show all jobs" }).click();
  assert.equal(await by(page, "search").inputValue(), "");
  await by(page, "filter-kind").selectOption("checksum");
  await shown(page, ["Checksum of apples", "Checksum of pears"]);
  await by(page, "filter-sort").selectOption("oldest");
  await shown(page, ["Checksum of pears", "Checksum of apples"]);
  await by(page, "filter-kind").selectOption("");
  await page.locator(".tag", { hasText: "nightly" }).first().click();
  await by(page, "filter-sort").selectOption("title");
  await shown(page, ["Checksum of pears", "CSV profile of rows.csv"]);

  // The address carries all of it, and what changes meanwhile comes to its place.
  const copy = await open(browser, page.url());
  await shown(copy, ["Checksum of pears", "CSV profile of rows.csv"]);
  assert.deepEqual([await by(copy, "filter-tag").inputValue(), await by(copy, "filter-sort").inputValue()], ["nightly", "title"]);
  await start("checksum", { path: "apples" }, { tags: ["nightly"] });
  for (const one of [page, copy]) {
    await shown(one, ["Checksum of apples", "Checksum of pears", "CSV profile of rows.csv"]);
    assert.deepEqual(one.problems, []);
    await one.context().close();
  }
});

test("what changed last comes first, where the list is sorted by that", async () => {
  const first = await server.startJob("test.flood", { lines: 1_000_000, burst: 1 });
  await start("checksum", { path: "apples" }, { title: "later" });
  const page = await open(browser, `${server.url}/?sort=changed`);
  await until("the job that runs is first", async () => (await by(page, "job-row").first().getAttribute("data-id")) === first.id);
  await server.api(`/api/jobs/${first.id}/cancel`, { method: "POST", json: {} });
  await server.waitFor(first.id, TERMINAL);
  await start("checksum", { path: "pears" }, { title: "the newest" });
  await until("the newest is first", async () => (await titles(page))[0] === "the newest");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a job that could not do everything is completed with warnings, in the list and on its page", async () => {
  const job = await start("test.flood", { lines: 1, burst: 1, warnings: 52_000 });
  const page = await open(browser, server.url);
  const row = page.locator(`[data-id="${job.id}"]`);
  await until("the row says so", async () => (await row.textContent()).includes("Completed with 52,000 warnings"));
  await row.getByTestId("job-title").click();
  await until("the page says so", async () => (await by(page, "job-state").textContent()) === "completed with 52,000 warnings");
  assert.ok(!(await page.locator("main").textContent()).includes("without an error"));
  assert.match(await page.title(), /^completed with 52,000 warnings/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
