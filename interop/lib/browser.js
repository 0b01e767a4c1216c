// Headless Chromium from the system's packages. The headless shell is the same engine without a browser's own windows:
// a page costs it a third of the processor time.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { until } from "./server.js";

const PLACES = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** @param {{quic?: boolean}} options */
export async function launch({ quic = false } = {}) {
  const executablePath = PLACES.find(existsSync);
  if (!executablePath) throw new Error("no Chromium: run interop/install-browser");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox", "--disable-gpu", ...(quic ? [] : ["--disable-quic"]), "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

/** Opens a page whose errors fail the test: the list is checked by the caller at its end. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(url);
  return page;
}

export const by = (page, id) => page.getByTestId(id);
export const live = (page) => until("the page is live", async () => (await by(page, "badge").getAttribute("data-state")) === "live");
