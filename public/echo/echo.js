// The echo: what goes out comes back, in the same order, so that each echo belongs to the oldest message that is still
// waited for.
import { h, text } from '/app/dom.js';
import * as format from '/app/format.js';
import { isSocketIO, rawLink, socketLink } from '/shared/links.js';
import { $, logList, say, setState, SOCKETIO, transports } from '/shared/page.js';

const WAYS = [
  ...SOCKETIO,
  { value: 'raw', label: 'Raw WebSocket', about: 'A WebSocket without Socket.IO: one frame goes out, the same frame comes back.' },
];
const LINES = 500; // kept in the log
const SAMPLES = 1000; // kept for the figures
const SHOWN = 500; // characters of an echo
const MANY = 20;

const log = logList($('log'), LINES);
let live = null;
let waiting = []; // {sent, at, done} under way, oldest first
let times = []; // milliseconds, the newest
let echoes = 0;

function open(way, onState) {
  forget();
  const state = (now) => {
    if (now === 'offline') forget();
    onState(now);
  };
  live = isSocketIO(way) ? overSocketIO(way, state) : overWebSocket(state);
  return live;
}

function overSocketIO(transport, onState) {
  const link = socketLink({ namespace: '/', transport, onState });
  link.socket.on('message', back);
  link.socket.on('echo', back);
  return {
    ...link,
    send(data) {
      if (!link.socket.connected) return false;
      link.socket.emit(typeof data === 'string' ? 'message' : 'echo', data);
      return true;
    },
  };
}

const overWebSocket = (onState) => rawLink({ path: '/ws/echo', onState, onMessage: back });

function send(data, done) {
  const entry = { sent: data, at: performance.now(), done };
  waiting.push(entry);
  if (live.send(data)) return;
  waiting.pop();
  line('not sent: no connection', '', 'bad');
}

function back(data) {
  const entry = waiting.shift();
  if (!entry) return;
  const ms = performance.now() - entry.at;
  const same = equal(entry.sent, data);
  echoes++;
  times.push(ms);
  if (times.length > SAMPLES) times.shift();
  line(describe(data), same ? took(ms) : 'not the same', same ? '' : 'bad');
  figures(ms);
  entry.done?.();
}

/** Gives up what is waited for: it does not come back after the end of the connection. */
function forget() {
  for (const entry of waiting.splice(0)) line(describe(entry.sent), 'did not come back', 'bad');
}

const bytesOf = (data) => new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);

function equal(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  const [one, other] = [bytesOf(a), bytesOf(b)];
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

function describe(data) {
  if (typeof data === 'string') return data.length > SHOWN ? `${data.slice(0, SHOWN)}… ${format.count(data.length)} characters` : data;
  const bytes = bytesOf(data);
  return `${format.plural(bytes.length, 'byte')}: ${format.hex(bytes.subarray(0, 16), ' ')}${bytes.length > 16 ? ' …' : ''}`;
}

const took = (ms) => `${format.tenths(ms)} ms`;

function line(what, aside, tone) {
  log.add(h('li', { test: 'echo-line' }, h('time', {}, format.timeOfDay(Date.now())), h('span', { class: `what ${tone}` }, what), h('span', { class: `aside ${tone}` }, aside)));
}

function figures(ms) {
  const sorted = [...times].sort((a, b) => a - b);
  text($('last'), took(ms));
  text($('median'), took(sorted[sorted.length >> 1]));
  text($('longest'), took(sorted.at(-1)));
  text($('echoes'), format.count(echoes));
}

$('text-form').addEventListener('submit', (event) => {
  event.preventDefault();
  send($('text').value, () => say('The text came back.'));
});
$('bytes-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const bytes = new Uint8Array(Number($('size').value));
  // The browser gives at most 64 KiB of randomness at once.
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  send(bytes, () => say('The bytes came back.'));
});
$('many').addEventListener('click', () => {
  let left = MANY;
  const next = () => { if (left-- > 0) send($('text').value, next); };
  next();
});
$('clear').addEventListener('click', () => {
  log.clear();
  times = [];
  echoes = 0;
  for (const id of ['last', 'median', 'longest']) text($(id), '–');
  text($('echoes'), '0');
});
setState('connecting');
transports(WAYS, open);
