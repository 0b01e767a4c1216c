// The background task, twice: with live answers that belong to this connection, and as a job that the
// server keeps. This browser remembers the ids of its jobs, and nothing else.
import { isTerminal, fold, watchJob } from '/jobs.js';
import { attr, complain, h, show, text } from '/app/dom.js';
import * as format from '/app/format.js';
import { socketLink } from '/shared/links.js';
import { $, say, sentence, setState, SOCKETIO, transports } from '/shared/page.js';

const REMEMBERED = 'jobcast.tasks';
const MOST = 10; // jobs remembered
const ANSWERS = 50; // lines kept

const answers = $('answers');
const list = $('jobs');
const error = $('error');
let tasks = null; // the link to /testnamespace
let jobs = null; // the link to /jobs
let asked = null; // when the last live task was asked for

function open(transport, onState) {
  tasks = socketLink({ namespace: '/testnamespace', transport, onState });
  jobs = socketLink({ namespace: '/jobs', transport, onState() {} });
  tasks.socket.on('response', (response) => answer(`${response.code}: ${response.msg}`, response.code === '200' ? (response.msg === 'processed' ? 'completed' : 'started') : 'failed'));
  tasks.socket.on('disconnect', () => {
    if (asked !== null) answer('The connection ended; what was under way gives no answer any more.', 'failed');
    asked = null;
  });
  list.replaceChildren();
  for (const id of remembered()) watch(id, false);
  return {
    close() {
      tasks.close();
      jobs.close();
    },
  };
}

// ---- live answers

function answer(words, type) {
  const since = asked === null ? '' : `${((performance.now() - asked) / 1000).toFixed(1)} s`;
  answers.append(h('li', { data: { type }, test: 'answer' }, h('span', { class: 'tl-text' }, words), h('span', { class: 'tl-time num' }, since)));
  while (answers.childElementCount > ANSWERS) answers.firstElementChild.remove();
  show($('no-answers'), false);
  if (type !== 'started' && type !== 'asked') asked = null;
}

$('live').addEventListener('click', () => {
  complain(error, '');
  if (!tasks.socket.connected) return complain(error, 'There is no connection right now.');
  asked = performance.now();
  answer(`Asked with “${$('param').value}”`, 'asked');
  tasks.socket.emit('request_for_response', { param: $('param').value });
});

// ---- jobs

$('durable').addEventListener('click', () => {
  complain(error, '');
  $('durable').disabled = true;
  tasks.ask('request_for_job', { param: $('param').value }, (late, ack) => {
    $('durable').disabled = false;
    if (late) return complain(error, 'The server did not answer. The list of jobs shows whether it started.');
    if (!ack.ok) return complain(error, sentence(ack.error));
    remember(ack.id);
    watch(ack.id, true);
    say('The job has started.');
  });
});

function watch(id, newest) {
  const title = h('a', { href: `/jobs/${encodeURIComponent(id)}`, test: 'job-link' }, format.shortId(id));
  const chip = h('span', { class: 'chip', test: 'job-state' }, 'loading');
  const fill = h('div', { class: 'bar-fill' });
  const bar = h('div', { class: 'bar', 'aria-hidden': 'true' }, fill);
  const note = h('p', { class: 'task-note num' });
  const node = h('li', { class: 'task', test: 'task', data: { id } }, h('div', { class: 'task-head' }, title, chip), bar, note);
  if (newest) list.prepend(node);
  else list.append(node);
  while (list.childElementCount > MOST) list.lastElementChild.remove();
  show($('no-jobs'), false);

  let job = null;
  const draw = (next) => {
    if (!next) return;
    job = next;
    const state = format.stateOf(job);
    const percent = format.percentOf(job);
    text(title, `${job.args?.param ?? 'Task'} · ${format.shortId(id)}`);
    text(chip, state);
    attr(chip, 'data-state', state);
    attr(bar, 'data-state', state);
    fill.style.setProperty('--done', `${percent ?? 0}%`);
    text(note, isTerminal(job.state) ? `${format.dateTime(job.createdAt)}, took ${format.took(Date.parse(job.finishedAt) - Date.parse(job.startedAt ?? job.createdAt))}`
      : `${format.dateTime(job.createdAt)}${job.attempt > 1 ? `, attempt ${job.attempt}` : ''}`);
  };
  const watching = watchJob(jobs.socket, id, {
    onSnapshot: draw,
    onEvent: (event) => draw(fold(job, event)),
    onDone: draw,
    onError(problem) {
      if (problem.code !== 'not_found' && problem.code !== 'gone') return;
      watching.stop();
      forget(id);
      node.remove();
      show($('no-jobs'), list.childElementCount === 0);
    },
  });
}

// ---- what this browser remembers; a browser that keeps nothing just shows fewer jobs

function remembered() {
  try {
    const ids = JSON.parse(localStorage.getItem(REMEMBERED));
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string').slice(0, MOST) : [];
  } catch {
    return [];
  }
}

function keep(ids) {
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(ids.slice(0, MOST)));
  } catch { /* as above */ }
}

const remember = (id) => keep([id, ...remembered().filter((known) => known !== id)]);
const forget = (id) => keep(remembered().filter((known) => known !== id));

setState('connecting');
transports(SOCKETIO, open);
