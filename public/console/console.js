// The console: any namespace, any auth, any event. The form's content is in the address, so that an
// emit can be prepared and sent to somebody; nothing is emitted before a person says so.
import { complain, attr, h, painter, show, text } from '/app/dom.js';
import * as format from '/app/format.js';
import { rawLink, socketLink } from '/shared/links.js';
import { $, logList, say, setState, SOCKETIO, transports } from '/shared/page.js';
import { print, read } from './print.js';

const WAYS = [
  { value: 'auto', label: 'Socket.IO, polling first', short: 'polling first', about: 'What the stock client does by itself: it connects by polling, and changes to WebSocket as soon as that works.' },
  ...SOCKETIO,
  { value: 'raw', label: 'Raw WebSocket', about: 'A WebSocket without Socket.IO, on a path of its own: what is sent is one frame, of text or of bytes.' },
];
/** What the form is about: events on a namespace, or messages on a path. */
const FORMS = {
  events: { places: ['/', '/vote', '/chat', '/jobs', '/testnamespace', '/compare'], place: 'Namespace', title: 'Emit', args: 'Arguments, as a JSON list', bytes: 'wherever they stand' },
  raw: { places: ['/ws/echo', '/ws/vote', '/ws/chat', '/ws/chat/console', '/ws/private/console'], place: 'Path', title: 'Send', args: 'Message, sent as it stands', bytes: 'and nothing else in the message' },
};
/** The file that answers a namespace. */
const SOURCES = { '/': 'echo', '/vote': 'vote', '/chat': 'chat', '/jobs': 'jobs', '/compare': 'compare', '/testnamespace': 'test' };
const LINES = 500; // lines of traffic on the page, and lines that wait for their turn to be drawn
const LENGTH = 20000; // characters of one line
const ENTRIES = 50; // emits in the history
const ANSWER_MS = 10000;
const KEPT = 'jobcast.console';

const form = { namespace: $('namespace'), auth: $('auth'), event: $('event'), args: $('args'), ack: $('ack') };
const log = logList($('log'), LINES);
let link = null;
let asked = null; // the place and the auth that link was opened for
let wanted = false; // a person has asked for a connection
let auth; // what the connection is asked for with
let queued = null; // the emit that waits for the connection
let raw = false; // the form is about messages on a path

// ---- the connection

const transport = transports(WAYS, (way, onState) => {
  link = null;
  adapt(way === 'raw');
  $('disconnect').disabled = !wanted;
  if (!wanted) {
    onState('idle');
    return null;
  }
  const place = placeOf();
  link = (raw ? overWebSocket : overSocketIO)(place, way, onState);
  asked = { place, auth: form.auth.value };
  return link;
});

/** The namespace or the path in the form. */
function placeOf() {
  return form.namespace.value.trim() || FORMS[raw ? 'raw' : 'events'].places[0];
}

/** Makes the form one for messages on a path, or one for events. */
function adapt(toRaw) {
  const words = FORMS[toRaw ? 'raw' : 'events'];
  // A namespace is no path of a WebSocket, nor the other way round.
  if (toRaw !== raw && !words.places.includes(form.namespace.value)) form.namespace.value = words.places[0];
  raw = toRaw;
  $('namespaces').replaceChildren(...words.places.map((value) => h('option', { value })));
  text($('namespace-label'), words.place);
  for (const id of ['emission-title', 'emit']) text($(id), words.title);
  text($('args-label'), words.args);
  text($('bytes-where'), words.bytes);
  for (const id of ['auth-field', 'event-field', 'ack-field']) show($(id), !raw);
  for (const name of ['auth', 'args', 'event']) problem(name, '');
  drawSource();
}

function connected(place, about) {
  line('connected', place, about, 'note');
  say(`Connected to ${place}.`);
  if (queued) emit(queued);
  queued = null;
}

function overSocketIO(namespace, way, onState) {
  const opened = socketLink({
    namespace,
    auth,
    transport: way,
    onState,
    onRefused(error) {
      onState('refused');
      wanted = false;
      queued = null;
      $('disconnect').disabled = true;
      line('refused', namespace, [{ message: error.message, ...(error.data === undefined ? {} : { data: error.data }) }], 'bad');
      say(`The namespace refused the connection: ${error.message}`);
    },
  });
  const { socket } = opened;
  socket.on('connect', () => {
    connected(namespace, [{ id: socket.id, transport: socket.io.engine.transport.name }]);
    socket.io.engine.once('upgrade', (to) => line('upgraded', namespace, [{ transport: to.name }], 'note'));
  });
  socket.on('disconnect', (reason) => line('disconnected', namespace, [reason], 'bad'));
  let failed = '';
  socket.on('connect_error', (error) => {
    // While a server is down every try fails; the log has one line for all of them.
    if (socket.active && failed !== error.message) line('no connection', namespace, [error.message], 'bad');
    failed = error.message;
  });
  socket.onAny((event, ...args) => line('in', event, args, 'in'));
  return {
    close: opened.close,
    isLive: () => socket.connected,
    emit({ event, values, ack }) {
      const sent = performance.now();
      if (ack) {
        socket.timeout(ANSWER_MS).emit(event, ...values, (late, ...answer) => {
          if (late) line('no answer', event, [`after ${ANSWER_MS / 1000} s, or the connection ended`], 'bad');
          else line('ack', `${event}, ${(performance.now() - sent).toFixed(1)} ms`, answer, 'ack');
        });
      } else socket.emit(event, ...values);
      line('out', event, values, 'out');
    },
  };
}

const kindOf = (message) => (typeof message === 'string' ? 'text' : 'bytes');

function overWebSocket(path, way, onState) {
  let live = false;
  const opened = rawLink({
    path,
    onState(state) {
      live = state === 'live';
      onState(state);
    },
    onOpen: () => connected(path, []),
    onMessage: (message) => line('in', kindOf(message), [message], 'in'),
    onClose: ({ code, reason }) => line('disconnected', path, [{ code, reason }], 'bad'),
    onRefused: () => line('no connection', path, ['There is no WebSocket at this path, it refused, or the server is down.'], 'bad'),
  });
  return {
    close: opened.close,
    isLive: () => live,
    emit({ values: [message] }) {
      opened.send(message);
      line('out', kindOf(message), [message], 'out');
    },
  };
}

$('connection').addEventListener('submit', (event) => {
  event.preventDefault();
  connect();
});

/** Connects as the form says, in place of what there is. Returns false where the auth is wrong. */
function connect() {
  const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
  const parsed = parse('auth', (value) => value === undefined || isObject(value) || 'The auth is an object: put { } around it.');
  if (!parsed.ok) return false;
  auth = parsed.value;
  wanted = true;
  transport.reopen();
  return true;
}

$('disconnect').addEventListener('click', () => {
  if (link?.isLive()) line('disconnected', asked.place, ['by this page'], 'note');
  wanted = false;
  queued = null;
  transport.reopen();
  form.namespace.focus();
});

// ---- emitting

$('emission').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});
form.args.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
});

function submit() {
  const name = raw ? '' : form.event.value;
  problem('event', raw || name ? '' : 'An event needs a name.');
  const args = raw ? message() : parse('args', (value) => Array.isArray(value) || value === undefined || 'The arguments are a list: put [ ] around them.');
  if (!(raw || name) || !args.ok) {
    document.querySelector('#emission [aria-invalid]').focus();
    return;
  }
  const entry = { namespace: placeOf(), event: name, args: form.args.value, ...(raw ? { raw } : { ack: form.ack.checked }) };
  remember(entry);
  const one = { ...entry, values: args.value ?? [] };
  if (link?.isLive() && asked.place === entry.namespace && asked.auth === form.auth.value) emit(one);
  else {
    queued = one;
    if (!connect()) queued = null;
  }
}

function emit(one) {
  try {
    link.emit(one);
  } catch (error) {
    problem('event', `The client does not emit this: ${error.message}.`); // its reserved names
  }
}

/** The message for a raw WebSocket: the field's text as it stands, or the bytes of {"$hex": …}. */
function message() {
  if (!/^\s*\{\s*"\$hex"/.test(form.args.value)) {
    problem('args', '');
    return { ok: true, value: [form.args.value] };
  }
  const { ok, value } = parse('args', () => true);
  return { ok, value: [value] };
}

/** Reads a field of JSON, and shows at it what is wrong. An empty one is undefined. */
function parse(name, check) {
  const field = form[name];
  let value;
  let wrong = '';
  try {
    value = field.value.trim() === '' ? undefined : read(field.value);
    const verdict = check(value);
    if (verdict !== true) wrong = verdict;
  } catch (error) {
    wrong = error instanceof SyntaxError ? `This is not JSON: ${error.message}.` : error.message;
    const at = /position (\d+)/.exec(error.message);
    if (at && name === 'args') field.setSelectionRange(Number(at[1]), Number(at[1]) + 1);
  }
  problem(name, wrong);
  if (wrong) field.focus();
  return { ok: !wrong, value };
}

function problem(name, words) {
  complain($(`${name}-error`), words);
  attr(form[name], 'aria-invalid', words ? 'true' : null);
}

// ---- traffic

const pending = [];
let dropped = 0;
const WORDS = { in: '←', out: '→', ack: '✓' };
const SPOKEN = { in: 'received', out: 'sent', ack: 'acknowledged' };

function line(kind, title, args, tone) {
  pending.push({ at: Date.now(), kind, title, args, tone });
  if (pending.length > LINES) {
    pending.shift();
    dropped++;
  }
  paint.mark();
}

const paint = painter(() => {
  log.add(...pending.splice(0).map(({ at, kind, title, args, tone }) => h('li', { class: `traffic ${tone}`, test: 'log-line', data: { kind } },
    h('time', {}, format.timeOfDay(at)),
    h('span', { class: 'traffic-kind', title: SPOKEN[kind], 'aria-label': SPOKEN[kind] }, WORDS[kind] ?? kind),
    h('span', { class: 'what' }, h('span', { class: 'traffic-title' }, title.slice(0, 200)), ' ', args.map((one) => print(one, LENGTH)).join(', ')))));
  text($('dropped'), dropped ? `${format.plural(dropped, 'line')} came too fast to be shown` : '');
}, 100);

$('clear').addEventListener('click', () => {
  pending.length = 0;
  dropped = 0;
  text($('dropped'), '');
  log.clear();
});

// ---- history, in this browser; without the auth, which may be a secret

let entries = kept();

function remember(entry) {
  entries = [entry, ...entries.filter((one) => JSON.stringify(one) !== JSON.stringify(entry))].slice(0, ENTRIES);
  keep();
}

function kept() {
  try {
    const list = JSON.parse(localStorage.getItem(KEPT));
    return list.filter((one) => [one.namespace, one.event, one.args].every((part) => typeof part === 'string'));
  } catch {
    return [];
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(entries));
  } catch { /* it lives as long as the page, then */ }
  drawHistory();
}

function drawHistory() {
  $('history').replaceChildren(...entries.map((entry) => h('li', { class: 'past', test: 'history-line' },
    h('button', { type: 'button', class: 'past-what', title: 'Put it into the form', on: { click: () => { fill(entry); form.args.focus(); } } },
      h('span', { class: 'past-event' }, entry.raw ? 'raw' : entry.event), h('span', { class: 'past-where' }, entry.namespace), h('span', { class: 'past-args mono' }, entry.args.slice(0, 200))),
    h('button', { type: 'button', class: 'quiet small', test: 'replay', 'aria-label': entry.raw ? `Send to ${entry.namespace} again` : `Emit ${entry.event} again`, on: { click: () => { fill(entry); submit(); } } }, 'Again'))));
  show($('no-history'), entries.length === 0);
  show($('forget'), entries.length > 0);
}

$('forget').addEventListener('click', () => {
  entries = [];
  keep();
});

function fill(entry) {
  if (Boolean(entry.raw) !== raw) {
    wanted = false; // the connection that is open is of the other form
    queued = null;
    transport.choose(entry.raw ? 'raw' : WAYS[0].value);
  }
  form.namespace.value = entry.namespace;
  form.event.value = entry.event;
  form.args.value = entry.args;
  if (!entry.raw) form.ack.checked = Boolean(entry.ack);
  for (const name of ['args', 'event']) problem(name, '');
  writeAddress();
}

// ---- the address

function readAddress() {
  const hash = new URLSearchParams(location.hash.slice(1));
  if (!hash.has('event') && !hash.has('ns')) return;
  form.auth.value = hash.get('auth') ?? '';
  fill({ namespace: hash.get('ns') ?? '/', event: hash.get('event') ?? '', args: hash.get('args') ?? '[]', ack: hash.has('ack'), raw: hash.has('raw') });
}

function writeAddress() {
  const hash = new URLSearchParams({ ns: form.namespace.value, event: form.event.value, args: form.args.value });
  if (form.auth.value.trim()) hash.set('auth', form.auth.value);
  if (form.ack.checked) hash.set('ack', '1');
  if (raw) {
    hash.set('raw', '1');
    for (const name of ['event', 'ack', 'auth']) hash.delete(name);
  }
  history.replaceState(null, '', `${location.pathname}${location.search}#${hash}`);
  drawSource();
}

function drawSource() {
  const name = placeOf();
  show($('source'), !raw && Object.hasOwn(SOURCES, name));
  if ($('source').hidden) return;
  text($('source'), `Source of the namespace ${name}`);
  attr($('source'), 'href', `/source/namespaces/${SOURCES[name]}.go`);
}

for (const [name, field] of Object.entries(form)) {
  field.addEventListener('input', () => {
    if (name !== 'ack') problem(name, '');
    writeAddress();
  });
}
window.addEventListener('hashchange', readAddress);

$('copy').addEventListener('click', async () => {
  writeAddress();
  let words = 'Copied';
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    words = 'It is in the address bar';
  }
  text($('copy'), words);
  setTimeout(() => text($('copy'), 'Copy a link to this'), 1500);
});

setState('idle');
drawHistory();
readAddress();
