// What the tutorials' pages have in common, and the echo and the task in Chromium: over each transport that they have,
// with a server that is killed and started again in the middle. The vote and the chat have files of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./lib/browser.js";
import { TERMINAL, until } from "./lib/server.js";
import { browser, by, close, crash, live, server, visit } from "./lib/system.js";

// ---- all pages

const PAGES = ["/", "/vote/", "/chat/", "/echo/", "/task/", "/compare/", "/console/"];

test("all pages have one navigation, and fit on a telephone", async () => {
  let want;
  for (const path of PAGES) {
    const page = await open(browser, server.url + path, { viewport: { width: 390, height: 800 } });
    const links = await page.locator(".nav a").evaluateAll((all) => all.map((a) => [a.getAttribute("href"), a.firstChild.textContent.trim()]));
    want ??= links;
    assert.deepEqual(links, want, path);
    assert.deepEqual(links.map(([href]) => href), PAGES);
    assert.equal(await page.locator(".nav a[aria-current=page]").getAttribute("href"), path);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${path} is wider than the screen`);
    await close(page);
  }
});

test("the source of each namespace is one click away", async () => {
  for (const path of ["/vote/", "/chat/", "/echo/", "/task/", "/console/"]) {
    const page = await open(browser, server.url + path);
    const href = await page.locator("a[href^='/source/']").first().getAttribute("href");
    const response = await fetch(server.url + href);
    assert.equal(response.status, 200, href);
    assert.match(response.headers.get("content-type"), /^text\/plain/);
    assert.match(await response.text(), /^package namespaces$/m);
    await close(page);
  }
});

// ---- echo

for (const transport of ["websocket", "polling", "raw"]) {
  test(`text and bytes come back over ${transport}, before and after a crash`, async () => {
    const pages = [await visit("/echo/", transport), await visit("/echo/", transport)];
    for (const page of pages) await live(page);
    const echoes = (page) => by(page, "echo-line").allTextContents();
    const round = async (page, nth) => {
      await by(page, "text").fill(`Grüße <b>${nth}</b> 小米`);
      await by(page, "send-text").click();
      for (const size of ["16", "65536", "524288"]) {
        await by(page, "size").selectOption(size);
        await by(page, "send-bytes").click();
      }
      await until("all four", async () => (await echoes(page)).filter((line) => / ms$/.test(line)).length === 4 * nth);
      const all = (await echoes(page)).join("\n");
      assert.ok(all.includes(`Grüße <b>${nth}</b> 小米`), all);
      assert.ok(all.includes("524,288 bytes"), all);
      assert.ok(!all.includes("not the same"), all);
    };
    for (const page of pages) await round(page, 1);
    await crash(...pages);
    for (const page of pages) await round(page, 2);
    assert.match(await by(pages[0], "rtt").textContent(), /ms$/);
    await close(...pages);
  });
}

// ---- task

for (const transport of ["websocket", "polling"]) {
  test(`the task over ${transport}: live answers, and a job that outlives page and server`, async () => {
    const page = await visit("/task/", transport);
    await live(page);
    await by(page, "run-live").click();
    await until("both answers", async () => (await by(page, "answer").allTextContents()).some((text) => text.includes("processed")));
    const answers = (await by(page, "answer").allTextContents()).join("\n");
    assert.match(answers, /200: start to process\.\.\.[^]*200: processed/);

    await by(page, "param").fill("<i>markup</i>");
    await by(page, "run-job").click();
    await until("the job is listed", async () => (await by(page, "task").count()) === 1);
    const id = await by(page, "task").first().getAttribute("data-id");
    await until("the job runs", async () => (await by(page, "job-state").first().textContent()) === "running");

    // The server dies before the five seconds of the task are over; the page is closed, and opened again in the same
    // browser.
    await server.kill();
    const again = await page.context().newPage();
    again.problems = page.problems;
    await page.close();
    await server.up();
    await again.goto(`${server.url}/task/?transport=${transport}`);
    await until("the job is listed again", async () => (await by(again, "task").first().getAttribute("data-id").catch(() => null)) === id);
    await until("the job has ended", async () => TERMINAL.includes(await by(again, "job-state").first().textContent()));
    assert.equal(await by(again, "job-state").first().textContent(), "completed");
    assert.equal((await server.job(id)).attempt, 2);
    assert.match(await by(again, "job-link").first().textContent(), /<i>markup<\/i>/);

    await by(again, "job-link").first().click();
    await again.waitForURL(new RegExp(`/jobs/${id}`));
    await until("the job's own page", async () => (await by(again, "job-state").first().textContent()) === "completed");
    assert.equal(await again.title(), "completed · Background task <i>markup</i> · Jobcast");
    await close(again);
  });
}
