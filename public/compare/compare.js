// The page: one run, six lines, a reading of the counters each second.
import { complain, h, painter, show, text } from '/app/dom.js';
import * as format from '/app/format.js';
import { $, say, setParameter, setState } from '/shared/page.js';
import { measureAlone } from './alone.js';
import { chart, colour } from './charts.js';
import { LINES, openLine } from './lines.js';
import { now, openRuns } from './run.js';
import { Track } from './track.js';

const WAITING_MS = 3000; // a line that is not open by then waits for one of the browser's connections
const LEAST_MS = 0.05; // the least delay that is drawn; an error of the clocks can give less
const controls = { rate: $('rate'), size: $('size'), poll: $('poll') };
const error = $('error');
const tracks = new Map();
const rows = new Map();
let run = null;
let closers = [];
let reader = null; // the timer of the readings
let alone = null; // what aborts a measurement, while there is one
let spent = null; // {at, cpu} of the last reading
const aloneFigures = new Map();

// ---- what the visitor chooses

const settings = () => ({ rate: Number(controls.rate.value), size: Number(controls.size.value) });
const everyMs = () => Number(controls.poll.value);

for (const [name, select] of Object.entries(controls)) {
  const wanted = new URLSearchParams(location.search).get(name);
  if ([...select.options].some((option) => option.value === wanted)) select.value = wanted;
  select.addEventListener('change', async () => {
    setParameter(name, select.value);
    for (const track of tracks.values()) track.reset();
    aloneFigures.clear();
    if (name !== 'poll') await runs.set(settings()).catch((failure) => complain(error, failure.message));
    for (const track of tracks.values()) track.reset(); // what came while the server changed may be of either setting
    painted.mark();
  });
}

// ---- the run and its lines

const runs = openRuns({
  settings,
  onRun(opened) {
    run = opened;
    complain(error, '');
    setState('live');
    tracks.clear();
    for (const { key } of LINES) tracks.set(key, new Track(key));
    openAll(0);
    readings();
  },
  onLost() {
    setState(document.hidden ? 'idle' : 'offline');
    alone?.abort();
    run = null;
    closeAll();
    painted.mark();
  },
  onRefused(sentence) {
    complain(error, sentence);
    setState('refused');
  },
});

function openAll(after) {
  for (const [key, track] of tracks) {
    track.openedAt = now();
    let liveAt = null; // when the line was first live; the delay of an event from before says how long connecting took
    track.last = after;
    closers.push(openLine(key, {
      run: run.id,
      after,
      everyMs,
      onEvent(event) {
        const t = now();
        const ms = run.since(event.at);
        track.take(event, t, liveAt !== null && t - ms > liveAt ? ms : undefined);
        painted.mark();
      },
      onLive(live) {
        if (live) liveAt ??= now();
        track.live = live;
        painted.mark();
      },
    }));
  }
}

function closeAll() {
  clearTimeout(reader);
  closers.forEach((close) => close());
  closers = [];
  for (const track of tracks.values()) track.live = false;
}

/** Reads the server's counters once a second, and adds a point to the charts. */
async function readings() {
  const mine = run;
  clearTimeout(reader);
  spent = null;
  const tick = async () => {
    const began = now();
    try {
      await mine.syncClock();
      const figures = await mine.ask('compare:figures', {});
      if (mine !== run || alone) return;
      take(mine, figures);
    } catch {
      // The next one may work; where the connection is lost, onLost says so.
    }
    if (mine === run && !alone) reader = setTimeout(tick, Math.max(0, began + 1000 - now()));
  };
  reader = setTimeout(tick, 1000);
}

const KEPT_SECONDS = 121;
const GAP_SECONDS = 5; // a longer one was a measurement or a break: the charts begin anew after it
let drawn = { seconds: [], median: [], worst: [] };

function take(mine, figures) {
  const t = figures.at / 1000;
  for (const [key, track] of tracks) track.count(t, { ...figures.lines[key], counted: figures.counted }, figures.last);
  const second = Math.round(t / 1000);
  const delays = [...tracks.values()].map((track) => track.second());
  const floor = (ms) => (ms === null ? null : Math.max(LEAST_MS, ms));
  if (second - drawn.seconds.at(-1) > GAP_SECONDS) {
    drawn = { seconds: [], median: [], worst: [] };
    for (const one of [delayChart, bytesChart]) one.replace([], LINES.map(() => []));
  }
  drawn.seconds.push(second);
  drawn.median.push(delays.map((d) => floor(d.median)));
  drawn.worst.push(delays.map((d) => floor(d.worst)));
  if (drawn.seconds.length > KEPT_SECONDS) Object.values(drawn).forEach((list) => list.shift());
  delayChart.add(second, drawn[shown].at(-1));
  bytesChart.add(second, [...tracks.values()].map((track) => track.bytesNow));
  show($('uncounted'), !figures.counted);
  if (spent && figures.cpu) {
    const share = (figures.cpu - spent.cpu) / (figures.at - spent.at);
    text($('cpu'), `The server’s process, all six and everything else together: ${(100 * share).toFixed(1)} % of one processor.`);
  }
  spent = figures;
  text($('clock'), `Delays are from the making of an event on the server to its arrival in this page’s script, good to ±${format.tenths(mine.clockError())} ms: the clocks are compared by round trips.`);
  painted.mark();
}

// ---- drawing

const delayChart = chart($('delay-chart'), { log: true, value: (ms) => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`) });
const bytesChart = chart($('bytes-chart'), { value: (n) => format.bytes(n) });
let shown = 'median';
for (const radio of document.querySelectorAll('[name=shown]')) {
  radio.addEventListener('change', () => {
    shown = radio.value;
    delayChart.replace(drawn.seconds, LINES.map((_, i) => drawn[shown].map((second) => second[i])));
  });
}

const delay = (ms) => (ms === null ? '–' : ms < 0.1 ? '<0.1 ms' : ms < 1000 ? `${format.tenths(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
const micros = (us) => (us === undefined || us === null ? '–' : us < 1 ? '<1 µs' : us < 1000 ? `${Math.round(us)} µs` : `${(us / 1000).toFixed(1)} ms`);
const whole = (n) => (n === null ? '–' : format.count(n));
const size = (n) => (n === null ? '–' : format.bytes(n));

function row({ key, label, about }) {
  const cell = (name, title) => h('td', { class: 'num', data: { title }, test: `${name}-${key}` });
  const state = h('span', { class: 'line-dot', 'aria-hidden': 'true' });
  const what = h('span', { class: 'line-about' });
  const cells = {
    median: cell('median', 'delay'),
    worst: cell('worst', 'delay, 99th'),
    requests: cell('requests', 'requests/min'),
    bytes: cell('bytes', 'bytes/min'),
    perEvent: cell('per-event', 'bytes/event'),
    cpu: cell('cpu', 'CPU/event'),
    events: cell('events', 'events'),
  };
  const node = h('tr', { data: { line: key }, test: `line-${key}`, on: { mouseenter: () => focus(key), mouseleave: () => focus(null) } },
    h('th', { scope: 'row' }, h('span', { class: 'line-name' }, state, h('span', {}, h('span', { class: 'line-label' }, label), what))),
    ...Object.values(cells));
  return {
    node,
    draw(track, best) {
      const { figures } = track;
      node.dataset.live = track.live;
      const waits = !track.live && run && !alone && now() - track.openedAt > WAITING_MS;
      text(what, waits ? 'waits for a connection: other tabs have them' : about);
      for (const [name, value] of Object.entries({
        median: delay(figures.median),
        worst: delay(figures.worst),
        requests: whole(figures.requests),
        bytes: size(figures.bytes),
        perEvent: size(figures.perEvent),
        cpu: micros(aloneFigures.get(key)?.cpuPerEvent),
        events: format.count(track.numbers.length),
      })) text(cells[name], value);
      cells.events.dataset.state = track.lost || track.doubled ? 'bad' : 'good';
      cells.events.title = track.lost || track.doubled ? `${track.lost} lost, ${track.doubled} doubled` : 'none lost, none doubled';
      for (const name of ['median', 'worst', 'requests', 'bytes', 'perEvent']) cells[name].classList.toggle('best', figures[name] !== null && figures[name] === best[name]);
      cells.cpu.classList.toggle('best', aloneFigures.size > 0 && aloneFigures.get(key)?.cpuPerEvent === best.cpu);
    },
  };
}

for (const line of LINES) {
  rows.set(line.key, row(line));
  $('lines').append(rows.get(line.key).node);
}

function focus(key) {
  delayChart.focus(key);
  bytesChart.focus(key);
}

const least = (values) => {
  const known = values.filter((v) => v !== null && v !== undefined);
  return known.length ? Math.min(...known) : undefined;
};

const painted = painter(() => {
  const figures = [...tracks.values()].map((track) => track.figures);
  const best = { cpu: least([...aloneFigures.values()].map((f) => f.cpuPerEvent)) };
  for (const name of ['median', 'worst', 'requests', 'bytes', 'perEvent']) best[name] = least(figures.map((f) => f[name]));
  for (const [key, track] of tracks) rows.get(key).draw(track, best);
  verdict();
}, 500);

/** Says which transport to use, with the figures that were just measured. */
function verdict() {
  const of = (key) => tracks.get(key)?.figures ?? {};
  const [short, long, sse, polling, socketIO, raw] = LINES.map(({ key }) => of(key));
  const ready = [short, long, sse, polling, socketIO, raw].every((f) => Number.isFinite(f.median) && f.perEvent > 0);
  show($('verdict-wait'), !ready);
  show($('verdict'), ready);
  if (!ready) return;
  const over = (f) => size(Math.max(0, f.perEvent - settings().size));
  text($('say-both'), `Socket.IO over WebSocket: ${delay(socketIO.median)}, and ${over(socketIO)} on the wire beside each event of ${size(settings().size)}. Raw WebSocket is ${over(raw)}: the difference buys rooms, acknowledgements, reconnecting and the way round a proxy that blocks WebSockets.`);
  text($('say-down'), `Server-Sent Events: ${delay(sse.median)} and ${over(sse)} beside each event, over plain HTTP, and the browser resumes by itself.`);
  text($('say-rare'), `Long polling takes ${delay(long.median)}, and makes a request for nearly every event: ${whole(long.requests)} a minute, with ${over(long)} beside each event. That is little where little happens. It is what Socket.IO falls back to (${delay(polling.median)}, ${over(polling)}).`);
  text($('say-late'), `Short polling every ${everyMs() < 1000 ? `${everyMs()} ms` : `${everyMs() / 1000} s`} is ${delay(short.median)} late, and no server can help it; but its ${whole(short.requests)} requests a minute stay the same however much happens.`);
}

// ---- one by one

const button = $('alone');
const clients = $('clients');
button.addEventListener('click', async () => {
  if (alone) {
    alone.abort();
    return;
  }
  if (!run) return;
  alone = new AbortController();
  const mine = run;
  const note = (sentence) => { text($('alone-note'), sentence); };
  closeAll();
  aloneFigures.clear();
  text(button, 'Stop');
  clients.disabled = true;
  for (const select of Object.values(controls)) select.disabled = true;
  note('First the server at rest, with the stream but nobody who listens.');
  let count = 0;
  try {
    for await (const result of measureAlone(mine, { clients: Number(clients.value), everyMs: everyMs(), signal: alone.signal })) {
      if (result.key) aloneFigures.set(result.key, result);
      const next = LINES[count++];
      if (next) note(`${next.label}, alone: ${count} of ${LINES.length}.`);
      painted.mark();
    }
    note(`Measured with ${format.plural(Number(clients.value), 'connection')} of each, ${format.plural(settings().rate, 'event')} a second to each. What the server needs at rest is taken off. Measure again before you believe a small difference.`);
    say('The measurement is done.');
  } catch (failure) {
    note(failure.name === 'AbortError' ? 'Stopped.' : failure.message);
  }
  alone = null;
  text(button, 'Measure one by one');
  clients.disabled = false;
  for (const select of Object.values(controls)) select.disabled = false;
  if (mine !== run) return;
  const { last } = await mine.ask('compare:figures', {}).catch(() => ({ last: 0 }));
  for (const [key] of tracks) tracks.set(key, new Track(key));
  openAll(last);
  readings();
});

// The browser slows a hidden page down, and the figures would be of that.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) runs.pause();
  else runs.resume();
});

for (const { key } of LINES) rows.get(key).node.style.setProperty('--colour', `var(--line-${key})`);
setState('connecting');
painted.mark();

// For the tests.
window.comparison = { tracks, delayChart, bytesChart, colour, get alone() { return Object.fromEntries(aloneFigures); } };
