// The comparison in Chromium: one stream, six transports, the same numbers, and figures that can be right.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./lib/browser.js";
import { contiguous, Server, until } from "./lib/server.js";

const LINES = ["short", "long", "sse", "sio-polling", "sio-websocket", "websocket"];
const OVER_REQUESTS = ["long", "sio-polling"];

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function compare(query = "") {
  const page = await open(browser, `${server.url}/compare/${query}`);
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) page.problems.push(message.text());
  });
  return page;
}

/** What each line has received, and its figures. */
const lines = (page) => page.evaluate(() => Object.fromEntries([...window.comparison.tracks].map(([key, track]) =>
  [key, { numbers: track.numbers, lost: track.lost, doubled: track.doubled, figures: track.figures }])));

async function received(page, least) {
  return until(`every line has ${least} events`, async () => {
    const all = await lines(page);
    return LINES.every((key) => all[key]?.numbers.length >= least) && all;
  });
}

function same(all) {
  assert.deepEqual(Object.keys(all), LINES);
  for (const key of LINES) {
    contiguous(all[key].numbers);
    assert.deepEqual([all[key].lost, all[key].doubled], [0, 0], key);
  }
}

test("all six lines have the same numbers, and figures are drawn for each", async () => {
  const page = await compare("?rate=20&size=256&poll=500");
  await received(page, 120);
  const all = await until("figures", async () => {
    const now = await lines(page);
    return LINES.every((key) => now[key].figures.perEvent !== null) && now;
  });
  same(all);
  for (const key of LINES) {
    const { median, worst, bytes, perEvent } = all[key].figures;
    assert.ok(Number.isFinite(median) && median <= worst, `${key}: median ${median}, 99th ${worst}`);
    assert.ok(perEvent > 256 && bytes > 0, `${key}: ${perEvent} bytes an event, ${bytes} a minute`);
    for (const name of ["median", "worst", "requests", "bytes", "per-event", "events"]) {
      assert.match(await page.getByTestId(`${name}-${key}`).textContent(), /\d/, `${name} of ${key}`);
    }
  }
  assert.equal(all.websocket.figures.requests, 0);
  assert.ok(all.short.figures.requests > 0, `short: ${all.short.figures.requests}`);

  // The figures are of the last half minute, in which a busy machine may have stood still: what must be so is so
  // when it has gone on for a while.
  const becomes = async (what, is) => {
    let figures;
    await until(what, async () => {
      figures = Object.fromEntries(Object.entries(await lines(page)).map(([key, line]) => [key, line.figures]));
      return is(figures);
    }).catch((error) => { throw new Error(`${error.message}, got ${JSON.stringify(figures)}`); });
  };
  // No event comes before it was made, but for what the page says of its own clock.
  const error = Number((await page.locator("#clock").textContent()).match(/±([\d.]+) ms/)[1]);
  for (const key of LINES) await becomes(`${key} has no event before it was made`, (now) => now[key].median > -error - 1);
  for (const key of OVER_REQUESTS) await becomes(`${key} has more requests than short polling`, (now) => now[key].requests > now.short.requests);
  await becomes("short polling is the late one", (now) => now.short.median > now.websocket.median);
  // Where the frames are known, so is what they take: a header of four bytes, and Socket.IO's own words.
  // The number of events and the bytes are not read in one moment: an event may be between them.
  const near = (got, want) => Math.abs(got - want) < 0.03 * want;
  await becomes("a frame of a WebSocket has four bytes more", (now) => near(now.websocket.perEvent, 256 + 4));
  await becomes("and one of Socket.IO its own words", (now) => near(now["sio-websocket"].perEvent, 256 + 4 + '42/compare,["compare:event",]'.length));

  const points = await page.evaluate(() => [window.comparison.delayChart.points, window.comparison.bytesChart.points]);
  for (const chart of points) for (const n of chart) assert.ok(n >= 3, `points drawn: ${points}`);
  for (const name of ["delay-chart", "bytes-chart"]) {
    const colours = await page.getByTestId(name).locator("canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
      return seen.size;
    });
    assert.ok(colours > 4, `${name} has ${colours} colours`);
  }
  assert.match(await page.getByTestId("verdict").innerText(), /Socket\.IO over WebSocket: .*\d+ B on the wire beside each event/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

// How many events a short poll brings says how the two rates stand to each other, on a busy machine too.
test("a new rate and size are in force at once, on every line", async () => {
  const page = await compare("?rate=2&size=64&poll=250");
  await received(page, 3);
  const perPoll = async () => {
    const traffic = await page.evaluate(() => window.comparison.tracks.get("short").traffic);
    const [first, last] = [traffic[0], traffic.at(-1)];
    return last?.last > first?.last ? (last.last - first.last) / (last.requests - first.requests) : null;
  };
  const slow = await until("two readings of short polling", perPoll);
  await page.getByTestId("rate").selectOption("50");
  await page.getByTestId("size").selectOption("4096");
  await until("more events a poll", async () => (await perPoll()) > 3 * slow);
  // Socket.IO may compress long answers to polls, by a quarter where there is no pattern.
  const all = await until("bytes of the new size", async () => {
    const now = await lines(page);
    return LINES.every((key) => now[key].figures.perEvent > (key === "sio-polling" ? 0.7 : 1) * 4096) && now;
  });
  same(all);
  // The figures are of the new settings alone, once the page has had them for a while.
  const near = (got, want) => Math.abs(got - want) < 0.1 * want;
  await until("bytes an event of the new size alone", async () => near((await lines(page)).websocket.figures.perEvent, 4096 + 4));
  assert.equal(new URL(page.url()).search, "?rate=50&size=4096&poll=250");
  await page.reload();
  assert.equal(await page.getByTestId("rate").inputValue(), "50");
  same(await received(page, 50));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("two tabs get along with the six connections of a browser, and a line that gets none says so", async () => {
  const one = await compare("?rate=1");
  const two = await one.context().newPage();
  await two.goto(`${server.url}/compare/?rate=1`);
  for (const page of [one, two]) same(await received(page, 6));
  await two.close();
  await one.context().close();

  const page = await open(browser, server.url);
  await page.route(/line=long/, () => {}); // never answered, as a request that waits for its turn
  await page.goto(`${server.url}/compare/`);
  await until("the line says so", async () => /waits for a connection/.test(await page.getByTestId("line-long").textContent()));
  assert.doesNotMatch(await page.getByTestId("line-sse").textContent(), /waits/);
  await page.context().close();
});

test("the server is killed and comes back: the page goes on with a new run", async () => {
  const page = await compare("?rate=20&poll=250");
  await received(page, 20);
  await server.kill();
  await until("the page says so", async () => (await page.getByTestId("badge").getAttribute("data-state")) === "offline");
  await server.up();
  await until("the page is back", async () => (await page.getByTestId("badge").getAttribute("data-state")) === "live");
  same(await received(page, 20));
  await page.context().close();
});

test("measured one by one, each transport has a processor time, and the comparison goes on after it", async () => {
  const page = await compare("?rate=50&poll=250");
  await received(page, 20);
  await page.getByTestId("clients").selectOption("2");
  const measure = async () => {
    await page.getByTestId("alone").click();
    await until("it is measured", async () => /^Measured with/.test(await page.getByTestId("alone-note").textContent()));
    return page.evaluate(() => window.comparison.alone);
  };
  let alone = await measure();
  for (const key of LINES) {
    const { events, cpuPerEvent, bytesPerEvent } = alone[key];
    // An event has 256 bytes; some arrive in the window that have left before it, or the other way round.
    assert.ok(events > 0 && bytesPerEvent > 128, `${key}: ${JSON.stringify(alone[key])}`);
    assert.ok(Number.isFinite(cpuPerEvent), `${key}: ${cpuPerEvent}`);
    await until(`the table has ${key}`, async () => /\d/.test(await page.getByTestId(`cpu-${key}`).textContent()));
  }
  // Five seconds of a busy machine can say otherwise; several times they do not.
  const dearer = () => alone["sio-polling"].cpuPerEvent > alone["sio-websocket"].cpuPerEvent;
  for (let again = 0; again < 4 && !dearer(); again++) alone = await measure();
  assert.ok(dearer(), `requests cost more than frames: ${JSON.stringify(alone)}`);
  const first = await until("it goes on", async () => {
    const now = await lines(page);
    return LINES.every((key) => now[key].numbers.length >= 20) && now;
  });
  for (const key of LINES) contiguous(first[key].numbers, first[key].numbers[0]);
  assert.deepEqual(LINES.map((key) => first[key].numbers[0]), LINES.map(() => first.short.numbers[0]));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what is out of bounds is refused, and a run is gone when its page is", async () => {
  const page = await compare("?rate=10");
  await received(page, 5);
  const refusals = await page.evaluate(async () => {
    const socket = io("/compare", { forceNew: true, transports: ["websocket"] });
    const ask = (name, payload) => new Promise((done) => socket.emit(name, payload, done));
    const answers = [
      await ask("compare:open", { rate: 51, size: 256 }),
      await ask("compare:open", { rate: 1, size: 16385 }),
      await ask("compare:open", { rate: 0, size: 64 }),
      await ask("compare:open", {}),
      await ask("compare:set", { rate: 1, size: 64 }),
    ];
    socket.disconnect();
    return answers.map((answer) => [answer.ok, answer.error.status]);
  });
  assert.deepEqual(refusals, [[false, 400], [false, 400], [false, 400], [false, 400], [false, 404]]);
  const run = await page.evaluate(() => performance.getEntriesByType("resource")
    .map((entry) => new URL(entry.name).searchParams.get("run")).find(Boolean));
  const path = `/api/compare?run=${run}&line=short&after=0`;
  assert.equal((await server.api(path)).status, 200);
  await page.context().close();
  await until("the run is gone", async () => (await server.api(path)).status === 404);
});
