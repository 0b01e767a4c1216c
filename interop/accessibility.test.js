// Every page in light and in dark, on a desk and on a telephone, by axe-core's rules of WCAG 2.2 AA and of
// good practice; with something on it, because an empty page breaks few rules.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { by, launch, live, open } from "./lib/browser.js";
import { Server, TERMINAL, until } from "./lib/server.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SHOTS = process.env.JOBCAST_SCREENSHOTS; // a directory, for who wants to look

let server, browser, root, done;
before(async () => {
  root = mkdtempSync(join(tmpdir(), "jobcast-root-"));
  for (let i = 0; i < 30; i++) writeFileSync(join(root, `file${i}`), "x".repeat(i));
  writeFileSync(join(root, "people.csv"), "name,age\nAda,36\nBob,x\n");
  writeFileSync(join(root, "not.csv"), Buffer.from([0, 1, 2, 0xff]));
  server = await Server.start({ roots: [root] });
  browser = await launch();
  done = {};
  for (const [name, kind, args] of [["checksum", "checksum", { path: "." }], ["csv", "csv.profile", { path: "people.csv" }], ["failed", "csv.profile", { path: "not.csv" }], ["task", "task", { param: "value" }]]) {
    done[name] = (await server.startJob(kind, args)).id;
    if (name !== "task") await server.waitFor(done[name], TERMINAL);
  }
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

const whole = async (page) => {
  await live(page);
  await until("the job", () => page.locator("h1:visible").count());
};

/** Each page, and what makes it one that is in use. */
const PAGES = {
  "/": async (page) => until("jobs", async () => (await by(page, "job-title").count()) >= 3),
  "/?new": async (page) => until("the form", async () => by(page, "start").isVisible()),
  "/jobs/checksum": whole,
  "/jobs/csv": whole,
  "/jobs/failed": whole,
  "/jobs/task": whole,
  "/vote/": async (page) => {
    await live(page);
    await by(page, "vote-1").click();
  },
  "/chat/": async (page) => {
    await live(page);
    await by(page, "nickname").fill(`Ada ${Math.random()}`.slice(0, 20));
    await by(page, "join").click();
    await live(page);
    await by(page, "message").fill("hello");
    await by(page, "send").click();
    await until("a line", async () => (await by(page, "chat-line").count()) > 0);
  },
  "/echo/": async (page) => {
    await live(page);
    await by(page, "send-text").click();
    await until("a line", async () => (await by(page, "echo-line").count()) > 0);
  },
  "/task/": async (page) => {
    await live(page);
    await by(page, "run-live").click();
    await by(page, "run-job").click();
    await until("a job", async () => (await by(page, "task").count()) > 0);
  },
  "/compare/": async (page) => {
    await live(page);
    await until("the verdict", () => by(page, "verdict").isVisible());
  },
  "/console/": async (page) => {
    await by(page, "emit").click();
    await until("lines", async () => (await by(page, "log-line").count()) >= 3);
    await by(page, "args").fill("[1");
    await by(page, "emit").click();
  },
  "/console/?transport=raw": async (page) => {
    await by(page, "emit").click();
    await until("lines", async () => (await by(page, "log-line").count()) >= 3);
  },
  "/nothing": () => {},
};

/** What axe finds in the page, by its rules; AXE is in the page already. */
const broken = (page) => page.evaluate(async (rules) => {
  // The next frame has the new colours, or begins to change to them: half way they are nobody's choice.
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  for (let left; (left = document.getAnimations().filter((one) => one instanceof CSSTransition)).length > 0; await frame()) {
    await Promise.allSettled(left.map((one) => one.finished));
  }
  const { violations } = await window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join("\n   ")}`);
}, RULES);

for (const [path, use] of Object.entries(PAGES)) {
  test(`${path} breaks no rule in light or dark, on a desk or a telephone`, async () => {
    for (const [place, viewport] of [["desk", { width: 1280, height: 860 }], ["telephone", { width: 390, height: 800 }]]) {
      const url = server.url + path.replace(/^\/jobs\/(\w+)/, (_, name) => `/jobs/${done[name]}`);
      const page = await open(browser, url, { viewport, colorScheme: "light", reducedMotion: "reduce" });
      await use(page);
      await page.evaluate(AXE);
      for (const colorScheme of ["light", "dark"]) { // as where the system changes it while the page is open
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await broken(page), [], `${place}, ${colorScheme}`);
        if (SHOTS) await page.screenshot({ path: join(SHOTS, `${path.replace(/\W+/g, "-")}-${place}-${colorScheme}.png`), fullPage: true });
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${place}: wider than the screen`);
      }
      assert.deepEqual(page.problems, []);
      await page.context().close();
    }
  });
}
