// The chat page. What the transports bring is put into rooms here, each message once.
import { attr, complain, edges, h, painter, show, text } from '/app/dom.js';
import * as format from '/app/format.js';
import { isSocketIO } from '/shared/links.js';
import { $, logList, say, setState, SOCKETIO, transports } from '/shared/page.js';
import { ANONYMOUS, index, LOBBY, overSocketIO, queue, raw, reader } from './transports.js';

const WAYS = [
  ...SOCKETIO,
  { value: 'raw', label: 'Raw WebSocket', about: 'A WebSocket without Socket.IO: what is said is the text of a frame. It has one room and no list of people; private words go over a second WebSocket.' },
  { value: 'short', label: 'Short polling', about: 'The page asks once a second for what comes after what it has read. It has no names.' },
  { value: 'queue', label: 'Long polling, a queue each', about: 'The server keeps a queue for each reader, and holds a request for up to ten seconds until something is in it. It has no names.' },
  { value: 'reader', label: 'Long polling, a place each', about: 'The server remembers how far each reader has read, and holds a request for up to ten seconds until there is more. It has no names.' },
];
const HTTP = { short: index, queue, reader };
const LINES = 500; // kept in a room
const TYPING_MS = 3000; // how long somebody types after the last sign of it
const SIGN_MS = 1500; // how often a sign goes out

const REFUSALS = {
  nickname_taken: 'Somebody here has this nickname. Choose another one.',
  nickname_reserved: 'Words wait here for somebody else who has had this nickname. Choose another one.',
  nickname_empty: 'A nickname needs at least one visible character.',
  nickname_too_long: 'This nickname is too long.',
  nickname_invalid: 'A nickname cannot have control characters.',
};

const rooms = new Map(); // name -> {lines, ids, people, typing, unread}
const letters = new Set(); // the ids of the newest private messages
let nickname = '';
let wished = ''; // the nickname that is being asked for
let here = ANONYMOUS;
let link = null;
let welcome = false; // the nickname of this connection was accepted

// ---- rooms

function room(name = ANONYMOUS) {
  if (!rooms.has(name)) rooms.set(name, { lines: [], ids: new Set(), people: new Set(), typing: new Map(), unread: 0 });
  return rooms.get(name);
}

function add(name, line) {
  const one = room(name);
  if (line.id !== undefined) {
    if (one.ids.has(line.id)) return;
    one.ids.add(line.id);
  }
  one.lines.push(line);
  for (const old of one.lines.splice(0, one.lines.length - LINES)) one.ids.delete(old.id);
  if (name !== here) one.unread++;
  paint.mark();
}

const on = {
  message(message) {
    room(message.room).typing.delete(message.from);
    add(message.room, message);
  },
  private(message) {
    // The server sends again what was not acknowledged; the page may show another room by then.
    if (message.id !== undefined && letters.has(message.id)) return;
    letters.add(message.id);
    if (letters.size > LINES) letters.delete(letters.values().next().value);
    add(here, { ...message, secret: true });
  },
  people(name, people) {
    room(name).people = new Set(people);
    paint.mark();
  },
  joined(name, user) {
    room(name).people.add(user);
    add(name, { note: `${user} has joined` });
  },
  left(name, user) {
    room(name).people.delete(user);
    add(name, { note: `${user} has left` });
  },
  typing(name, user) {
    room(name).typing.set(user, performance.now() + TYPING_MS);
    setTimeout(() => paint.mark(), TYPING_MS + 50);
    paint.mark();
  },
  doubt: (words) => problem('nickname', words),
  notice: (words) => add(here, { note: words }),
  welcome(identity) {
    nickname = identity.nickname;
    // After a break this connection is in the lobby only.
    for (const name of rooms.keys()) if (name !== LOBBY) link.join(name, (wrong) => wrong && on.notice(wrong));
  },
  refused(error) {
    // After a break the server may not know yet that this page's own earlier connection is gone.
    if (welcome && error.data?.code === 'nickname_taken') return true;
    usable(false);
    problem('nickname', REFUSALS[error.data?.code] ?? error.data?.detail ?? error.message);
    $('nickname').focus();
    setState('refused');
    return false;
  },
};

/** A connection that was refused takes no messages; a new nickname makes a new one. */
function usable(yes) {
  $('message').disabled = $('send').disabled = !yes;
  if (yes) return;
  for (const id of ['to-field', 'room-form', 'people-card']) show($(id), false);
}

// ---- the connection

function open(way, onState) {
  complain($('error'), '');
  problem('nickname', '');
  usable(true);
  welcome = false;
  rooms.clear();
  const named = isSocketIO(way) || way === 'raw';
  nickname = named ? wished : '';
  here = nickname ? LOBBY : ANONYMOUS;
  const state = (now) => {
    onState(now);
    if (now !== 'live') return;
    welcome = true;
    problem('nickname', '');
  };
  link = isSocketIO(way) ? overSocketIO(way, nickname, on, state) : way === 'raw' ? raw(nickname, on, state) : HTTP[way](on, state);
  $('nickname').disabled = $('join').disabled = !named;
  text($('nickname-hint'), !named ? 'This transport has no names.' : nickname ? 'Empty it to be anonymous again.' : 'With a name there are rooms, people and private words.');
  show($('to-field'), nickname && link.private);
  show($('room-form'), nickname && link.join);
  paint.mark();
  return link;
}

$('identity').addEventListener('submit', (event) => {
  event.preventDefault();
  wished = $('nickname').value;
  transport.reopen();
});

// ---- saying something

let signed = -Infinity; // when the others were last told that something is being typed

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const words = $('message').value;
  const to = $('to').value.trim();
  if (!words) return;
  complain($('error'), '');
  const done = (wrong, ack) => {
    if (!wrong) {
      if (to && ack?.delivered === false) on.notice(`${to} is not here. The message waits for them.`);
      return;
    }
    complain($('error'), wrong);
    if (!$('message').value) $('message').value = words;
  };
  if (to && nickname) link.private(to, words, done);
  else link.say(here, words, done);
  $('message').value = '';
  $('message').focus();
  signed = -Infinity; // the message itself ends the sign of typing at the others
});

$('message').addEventListener('input', () => {
  if (!link.typing || !nickname || $('to').value || performance.now() - signed < SIGN_MS) return;
  signed = performance.now();
  link.typing(here);
});

// ---- rooms

$('room-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('room').value.trim();
  problem('room', name ? '' : 'A room needs a name.');
  if (!name) return;
  link.join(name, (wrong) => {
    problem('room', wrong);
    if (wrong) return;
    $('room').value = '';
    enter(name);
  });
});

function enter(name) {
  here = name;
  room(name).unread = 0;
  drawn = null;
  paint.mark();
  $('message').focus();
}

$('leave').addEventListener('click', () => {
  const name = here;
  link.leave(name, (wrong) => {
    if (wrong) return complain($('error'), wrong);
    rooms.delete(name);
    enter(rooms.keys().next().value);
  });
});

function problem(name, words) {
  complain($(`${name}-error`), words);
  attr($(name), 'aria-invalid', words ? 'true' : null);
}

// ---- drawing

const list = logList($('lines'), LINES);
let drawn = null; // the room whose lines are in the list
let last = null; // the last line of it that is drawn

const title = (name) => name || 'Anonymous';

function draw() {
  const one = room(here);
  text($('room-title'), title(here));
  drawLines(one);
  drawPeople(one);
  const now = performance.now();
  const typing = [...one.typing].filter(([user, until]) => until > now && user !== nickname).map(([user]) => user);
  text($('typing'), typing.length === 0 ? '' : typing.length > 2 ? 'Several people are typing…' : `${typing.join(' and ')} ${typing.length > 1 ? 'are' : 'is'} typing…`);
  $('rooms').replaceChildren(...(rooms.size < 2 ? [] : [...rooms].map(([name, { unread }]) => h('span', { class: 'room' },
    h('button', { type: 'button', class: 'filter', 'aria-pressed': String(name === here), on: { click: () => enter(name) } }, title(name), unread ? h('span', { class: 'nav-count' }, String(unread)) : null)))));
  show($('people-card'), nickname && link.join && welcome);
  show($('leave'), rooms.size > 1);
}

function drawLines(one) {
  if (drawn !== one) {
    list.clear();
    last = null;
  }
  drawn = one;
  list.add(...one.lines.slice(one.lines.indexOf(last) + 1).map(lineNode));
  last = one.lines.at(-1) ?? null;
}

function lineNode(line) {
  if (line.note) return h('li', { class: 'chat-note' }, line.note);
  const mine = nickname && line.from === nickname;
  const who = line.secret ? (mine ? `to ${line.to}` : `${line.from}, to you`) : line.from;
  return h('li', { class: `chat-line${mine ? ' mine' : ''}${line.secret ? ' secret' : ''}`, test: 'chat-line', data: line.id === undefined ? {} : { id: line.id } },
    who || line.at ? h('span', { class: 'chat-by' }, who ? h('span', { class: 'chat-who' }, who) : null, line.at ? h('time', { class: 'num' }, format.timeOfDay(line.at)) : null) : null,
    h('span', { class: 'chat-text', data: { part: 'text' } }, line.text));
}

function drawPeople(one) {
  const people = [...one.people].sort((a, b) => a.localeCompare(b));
  text($('people-count'), String(people.length));
  $('people').replaceChildren(...people.map((user) => h('li', {}, user === nickname ? h('span', { class: 'person me' }, user, h('span', { class: 'person-note' }, 'you'))
    : h('button', { type: 'button', class: 'person', title: `Write to ${user} alone`, on: { click: () => { $('to').value = user; $('message').focus(); } } }, user))));
  $('names').replaceChildren(...people.filter((user) => user !== nickname).map((user) => h('option', { value: user })));
}

const paint = painter(draw, 100);

setState('connecting');
const transport = transports(WAYS, open);
