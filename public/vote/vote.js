// The vote: one list of counts, over whichever transport the page is set to. A count only grows, so
// the larger of two is the newer one, in whatever order they come.
import { complain, h, text } from '/app/dom.js';
import * as format from '/app/format.js';
import { isSocketIO, pollLink, rawLink, request, socketLink, streamLink } from '/shared/links.js';
import { $, say, sentence, setState, SOCKETIO, transports } from '/shared/page.js';

const POLL_MS = 1000;
const UNSURE = 'The server did not answer, so this vote may or may not count.';
const TUTORIAL = 1100; // votes that the server begins with, as the tutorial does

const WAYS = [
  ...SOCKETIO,
  { value: 'short', label: 'Short polling', about: 'The page asks once a second. Most answers are 304, nothing new; a vote of others is seen up to a second late.' },
  { value: 'long', label: 'Long polling', about: 'The page asks for what comes after what it has, and the server holds the answer until there is something, for at most 30 seconds.' },
  { value: 'sse', label: 'Server-Sent Events', about: 'One answer that never ends: the server writes each change into it. Votes go out as requests of their own.' },
  { value: 'raw', label: 'Raw WebSocket', about: 'A WebSocket without Socket.IO: the text 1 is a vote for candidate 1, and each change comes back as JSON. Nothing confirms a vote but its own change.' },
];

const rows = new Map(); // uid -> row
const candidates = new Map(); // uid -> {uid, name, count}
const list = $('candidates');
const error = $('error');
let rev = 0; // of the last whole list
let live = null;

// ---- what comes from the server

/** Takes the whole list. Where its rev is lower than before, the server has other data, and the page forgets its own. */
function take(votes) {
  if (votes.rev < rev) candidates.clear();
  rev = votes.rev;
  votes.candidates.forEach(change);
}

/** One candidate's new count. */
function change(candidate) {
  if (candidate.count > (candidates.get(candidate.uid)?.count ?? -1)) candidates.set(candidate.uid, candidate);
  draw();
}

// ---- the transports: each opens with what to do with a vote

function open(way, onState) {
  complain(error, '');
  live = isSocketIO(way) ? overSocketIO(way, onState) : { short, long, sse, raw }[way](onState);
  return live;
}

function overSocketIO(transport, onState) {
  const link = socketLink({ namespace: '/vote', transport, onState });
  link.socket.on('votes', take);
  link.socket.on('vote:changed', change);
  return {
    ...link,
    vote: (uid, done) => link.ask('vote', { uid }, (late, ack) => {
      if (late) done(UNSURE);
      else if (!ack.ok) done(sentence(ack.error));
      else {
        change(ack.candidate);
        done();
      }
    }),
  };
}

/** Votes by a request over HTTP, for the transports that only bring events to the page. */
function vote(uid, done) {
  request('/api/vote', { json: { uid } }).then((ack) => {
    change(ack.candidate);
    done();
  }, (failure) => done(failure.problem ? sentence(failure.problem) : UNSURE));
}

function short(onState) {
  let tag = null;
  const link = pollLink({
    onState,
    everyMs: POLL_MS,
    async ask(signal) {
      const response = await fetch('/api/vote', { signal, cache: 'no-store', headers: tag ? { 'If-None-Match': tag } : {} });
      if (response.status === 304) return;
      if (!response.ok) throw new Error(`status ${response.status}`);
      tag = response.headers.get('ETag');
      take(await response.json());
    },
  });
  return { ...link, vote };
}

function long(onState) {
  let after = null;
  const link = pollLink({
    onState,
    async ask(signal) {
      const votes = await request(after === null ? '/api/vote' : `/api/vote?after=${after}&wait=30s`, { signal });
      if (!votes) return;
      after = votes.rev;
      take(votes);
    },
  });
  return { ...link, vote };
}

function sse(onState) {
  return { ...streamLink({ path: '/api/vote', events: { votes: take, 'vote:changed': change }, onState }), vote };
}

/** A raw WebSocket brings the changes from now on; the counts so far come by a request. */
function raw(onState) {
  const link = rawLink({
    path: '/ws/vote',
    onState,
    onOpen: () => request('/api/vote').then((votes) => votes.candidates.forEach(change), () => {}),
    onMessage(message) {
      const one = JSON.parse(message);
      if (one.error) complain(error, one.error);
      else change(one);
    },
  });
  return {
    ...link,
    vote(uid, done) { done(link.send(String(uid)) ? undefined : 'Not connected: this vote was not sent.'); },
  };
}

// ---- drawing

function row(uid) {
  const name = h('span', { class: 'candidate-name' });
  const share = h('span', { class: 'candidate-share num' });
  const count = h('span', { class: 'candidate-count num', test: `count-${uid}` });
  const fill = h('div', { class: 'bar-fill' });
  const button = h('button', { type: 'button', class: 'quiet', test: `vote-${uid}`, on: { click: () => send(uid) } }, 'Vote');
  const node = h('li', { class: 'candidate' },
    h('div', { class: 'candidate-head' }, name, share, count), h('div', { class: 'bar', 'aria-hidden': 'true' }, fill), button);
  let shown = null;
  return {
    node,
    draw(candidate, sum) {
      text(name, candidate.name);
      text(count, format.count(candidate.count));
      text(share, sum ? format.percent((100 * candidate.count) / sum, 1) : '');
      button.setAttribute('aria-label', `Vote for ${candidate.name}`);
      count.dataset.count = candidate.count;
      fill.style.setProperty('--done', `${sum ? (100 * candidate.count) / sum : 0}%`);
      if (shown !== null && shown !== candidate.count) {
        node.classList.remove('moved');
        void node.offsetWidth; // reading a size makes the browser start the animation again
        node.classList.add('moved');
      }
      shown = candidate.count;
    },
  };
}

function draw() {
  const all = [...candidates.values()];
  const sum = all.reduce((total, one) => total + one.count, 0);
  for (const candidate of all) {
    if (!rows.has(candidate.uid)) {
      rows.set(candidate.uid, row(candidate.uid));
      list.append(rows.get(candidate.uid).node);
    }
    rows.get(candidate.uid).draw(candidate, sum);
  }
  text($('total'), `${format.plural(sum, 'vote')}${sum >= TUTORIAL ? `, ${format.count(TUTORIAL)} of them the tutorial’s` : ''}`);
}

function send(uid) {
  complain(error, '');
  live.vote(uid, (failure) => {
    complain(error, failure);
    if (!failure) say(`Voted for ${candidates.get(uid)?.name}.`);
  });
}

setState('connecting');
transports(WAYS, open);
