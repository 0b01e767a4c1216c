// Runs the comparison of /compare/ in Chromium several times, and prints the table of docs/transports.md: the
// median of the runs for each figure. It is no test: run it where nothing else runs.
//
//     make build && node interop/compare-table.js [runs] [events a second] [bytes of each]
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { resolve } from "node:path";
import { launch, open } from "./lib/browser.js";
import { Server, sleep, until } from "./lib/server.js";

const [runs = 3, rate = 50, size = 256] = process.argv.slice(2).map(Number);
const POLL_MS = 1000;
const WINDOW_MS = 35_000; // the page's figures are of the last thirty seconds
const NAMES = {
  short: "short polling, every second", long: "long polling", sse: "Server-Sent Events",
  "sio-polling": "Socket.IO over polling", "sio-websocket": "Socket.IO over WebSocket", websocket: "raw WebSocket",
};

async function once() {
  const server = await Server.start({ binary: resolve(import.meta.dirname, "../bin/jobcast") });
  const browser = await launch();
  try {
    const page = await open(browser, `${server.url}/compare/?rate=${rate}&size=${size}&poll=${POLL_MS}`);
    await sleep(WINDOW_MS);
    const figures = await page.evaluate(() => Object.fromEntries([...window.comparison.tracks].map(([key, track]) =>
      [key, { ...track.figures, lost: track.lost + track.doubled }])));
    await page.getByTestId("clients").selectOption("4");
    await page.getByTestId("alone").click();
    const alone = await until("each is measured alone", async () => {
      const now = await page.evaluate(() => window.comparison.alone);
      return Object.keys(NAMES).every((key) => now[key]) && now;
    }, 120_000);
    for (const key of Object.keys(NAMES)) figures[key].cpu = alone[key].cpuPerEvent;
    return { figures, version: browser.version() };
  } finally {
    await browser.close();
    await server.stop();
  }
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const delay = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);
const bytes = (n) => (n < 1e3 ? `${Math.round(n)} B` : n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const whole = (n) => new Intl.NumberFormat("en", { maximumFractionDigits: 0 }).format(n);

const all = [];
for (let i = 1; i <= runs; i++) {
  const load = loadavg()[0].toFixed(2);
  const { figures, version } = await once();
  all.push(figures);
  const cpu = Object.values(figures).map((f) => `${Math.round(f.cpu)}`).join(", ");
  const lost = Object.values(figures).reduce((sum, f) => sum + f.lost, 0);
  console.error(`run ${i}: load ${load}, Chromium ${version}, CPU an event ${cpu} µs, ${lost} lost or doubled`);
}
console.error(`${runs} runs, ${rate} events a second of ${size} bytes, ${cpus().length} cores of ${cpus()[0].model}, ` +
  `commit ${execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim()}`);
console.log("| transport | delay, median | delay, 99th | requests a minute | bytes a minute | bytes an event | CPU an event |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
for (const [key, name] of Object.entries(NAMES)) {
  const of = (figure) => median(all.map((figures) => figures[key][figure]));
  console.log(`| ${name} | ${delay(of("median"))} | ${delay(of("worst"))} | ${whole(of("requests"))} | ${bytes(of("bytes"))} | ${whole(of("perEvent"))} | ${whole(of("cpu"))} µs |`);
}
