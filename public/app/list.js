// The list of jobs with live bars, beside the panel that starts one.
import { ask, isLive, onLink } from './connection.js';
import { attr, complain, h, icon, painter, show, text } from './dom.js';
import * as format from './format.js';
import { bar, Clock, drawBar, Eta } from './progress.js';
import { sentence, startPanel } from './start.js';

const FILTERS = ['', 'running', 'queued', 'completed', 'failed', 'cancelled'];
const NAMES = { '': 'All', running: 'Running', queued: 'Queued', completed: 'Completed', failed: 'Failed', cancelled: 'Cancelled' };
const PAGE = 50;

export function listView(app) {
  const jobs = new Map(); // id -> job, of the current filter
  const rows = new Map(); // id -> row
  const clock = new Clock(isLive);
  const query = new URLSearchParams(location.search);
  let filter = FILTERS.includes(query.get('state') ?? '') ? query.get('state') ?? '' : '';
  let counts = {};
  let next = '';
  let loaded = false;
  let stopped = false;
  let asked = 0; // tells the answer to the newest question from older ones

  const panel = startPanel(app);
  const filters = FILTERS.map((state) => {
    const number = h('span', { class: 'filter-count num' });
    const button = h('button', { type: 'button', class: 'filter', data: { filter: state || 'all' }, on: { click: () => choose(state) } }, NAMES[state], number);
    return { state, button, number };
  });
  const list = h('ul', { class: 'rows', 'aria-label': 'Jobs' });
  const more = h('button', { type: 'button', class: 'quiet more', hidden: true, on: { click: older } }, 'Show older jobs');
  const emptyTitle = h('h2', {});
  const emptyText = h('p', {});
  const emptyButton = h('button', { type: 'button', class: 'quiet', on: { click: () => (filter ? choose('') : panel.focus()) } });
  const empty = h('div', { class: 'empty', hidden: true },
    h('div', { class: 'empty-art', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), emptyTitle, emptyText, emptyButton);
  const loading = h('div', { class: 'skeleton', 'aria-hidden': 'true' }, ...Array.from({ length: 4 }, () => h('i')));
  const error = h('p', { class: 'form-error', role: 'alert', hidden: true });

  const node = h('div', { class: 'split' },
    h('section', { class: 'split-main', 'aria-labelledby': 'jobs-title' },
      h('div', { class: 'page-head' }, h('h1', { id: 'jobs-title' }, 'Jobs'),
        h('div', { class: 'filters', role: 'group', 'aria-label': 'Show jobs that are' }, ...filters.map((f) => f.button))),
      error,
      h('div', { class: 'card list-card' }, loading, list, empty, more)),
    h('aside', { class: 'split-side' }, panel.node));

  // ---- what comes from the server

  const matches = (job) => !filter || job.state === filter || (filter === 'queued' && job.state === 'scheduled');

  function take(fresh) {
    for (const job of fresh) {
      const known = jobs.get(job.id);
      if (known && known.seq > job.seq) continue;
      if (matches(job)) jobs.set(job.id, job);
      else jobs.delete(job.id);
    }
    paint.mark();
  }

  function setCounts(fresh) {
    counts = fresh ?? counts;
    app.counts(counts);
  }

  function onChanged(change) {
    for (const id of change.removed ?? []) jobs.delete(id);
    setCounts(change.counts);
    take(change.jobs ?? []);
  }

  function watch() {
    app.socket.emit('jobs:watch', {}, (ack) => {
      if (stopped) return;
      if (!ack.ok) return fail(ack.error);
      setCounts(ack.counts);
      load();
    });
  }

  /** Reads the newest page of the filter; what is no longer in it goes away. */
  function load() {
    const number = ++asked;
    const request = { limit: PAGE };
    if (filter) request.state = filter;
    ask(app.socket, 'jobs:list', request, (ack) => {
      if (stopped || number !== asked) return;
      if (!ack.ok) return fail(ack.error);
      complain(error, '');
      loaded = true;
      jobs.clear();
      next = ack.next ?? '';
      setCounts(ack.counts);
      take(ack.jobs);
    });
  }

  function older() {
    const number = ++asked;
    const request = { limit: PAGE, cursor: next };
    if (filter) request.state = filter;
    more.disabled = true;
    ask(app.socket, 'jobs:list', request, (ack) => {
      more.disabled = false;
      if (stopped || number !== asked) return;
      if (!ack.ok) return fail(ack.error);
      next = ack.next ?? '';
      take(ack.jobs);
    });
  }

  function fail(problem) {
    complain(error, sentence(problem));
  }

  function choose(state) {
    if (state === filter) return;
    filter = state;
    const to = new URL(location.href);
    if (state) to.searchParams.set('state', state);
    else to.searchParams.delete('state');
    to.searchParams.delete('new');
    history.replaceState(null, '', to);
    for (const [id, job] of jobs) if (!matches(job)) jobs.delete(id);
    next = '';
    loaded = false;
    load();
    paint.mark();
  }

  // ---- drawing

  function draw() {
    const now = clock.now();
    for (const { state, button, number } of filters) {
      attr(button, 'aria-pressed', String(state === filter));
      const n = state ? (counts[state] ?? 0) + (state === 'queued' ? counts.scheduled ?? 0 : 0)
        : Object.values(counts).reduce((sum, one) => sum + one, 0);
      text(number, format.count(n));
      button.classList.toggle('zero', n === 0);
    }
    const sorted = [...jobs.values()].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1));
    for (const [id, row] of rows) {
      if (jobs.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    // Rows are moved only where the order differs, so focus and hover stay where they are.
    let at = list.firstElementChild;
    for (const job of sorted) {
      let row = rows.get(job.id);
      if (!row) rows.set(job.id, (row = jobRow(job)));
      row.draw(job, now);
      if (row.node === at) at = at.nextElementSibling;
      else list.insertBefore(row.node, at);
    }
    show(loading, !loaded && jobs.size === 0);
    show(list, jobs.size > 0);
    show(more, next !== '' && jobs.size > 0);
    const nothing = loaded && jobs.size === 0;
    show(empty, nothing);
    if (nothing) {
      text(emptyTitle, filter ? `No ${NAMES[filter].toLowerCase()} jobs` : 'Nothing has run yet');
      text(emptyText, filter ? 'Jobs appear here by themselves when they get to this state.'
        : 'Start one: point Checksum at a directory, or drop a CSV file. You can close this page meanwhile; the job goes on, and its story is here when you come back.');
      text(emptyButton, filter ? 'Show all jobs' : 'Start the first job');
    }
  }

  const paint = painter(draw);
  const ticking = setInterval(() => { if (isLive()) paint.mark(); }, 1000);
  const unlink = onLink(() => paint.mark());
  app.socket.on('connect', watch);
  app.socket.on('jobs:changed', onChanged);
  if (app.socket.connected) watch();
  app.title('Jobs');
  draw();

  return {
    node,
    shown() { if (query.has('new')) panel.focus(); },
    stop() {
      stopped = true;
      clearInterval(ticking);
      unlink();
      paint.stop();
      panel.stop();
      app.socket.off('connect', watch);
      app.socket.off('jobs:changed', onChanged);
      if (app.socket.connected) app.socket.emit('jobs:unwatch', {}, () => {});
    },
  };
}

/** One job in the list. Built once, then only patched. */
function jobRow(first) {
  const eta = new Eta();
  const title = h('a', { class: 'row-title', href: `/jobs/${encodeURIComponent(first.id)}`, 'data-link': true, test: 'job-title' }, format.kindTitle(first.kind));
  const id = h('span', { class: 'row-id mono', title: first.id }, format.shortId(first.id));
  const chip = h('span', { class: 'chip', test: 'job-state' });
  const note = h('span', { class: 'row-note' });
  const line = bar(`Progress of ${format.kindTitle(first.kind)} ${format.shortId(first.id)}`);
  const share = h('span', { class: 'row-percent num', test: 'job-percent' });
  const left = h('span', { class: 'row-eta num', test: 'job-eta' });
  const speed = h('span', { class: 'row-rate num' });
  const age = h('time', { class: 'row-age num', datetime: first.createdAt });
  const node = h('li', { class: 'row', test: 'job-row', data: { id: first.id, kind: first.kind } },
    h('span', { class: 'row-icon', 'aria-hidden': 'true' }, icon(format.KINDS[first.kind]?.icon ?? 'file')),
    h('div', { class: 'row-what' }, h('div', { class: 'row-name' }, title, id, chip), note),
    h('div', { class: 'row-progress' }, h('div', { class: 'row-figures' }, share, left), line),
    h('div', { class: 'row-when' }, age, speed));

  let drawn = null;
  return {
    node,
    draw(job, now) {
      if (job !== drawn) {
        const state = format.stateOf(job);
        attr(node, 'data-state', job.state);
        attr(chip, 'data-state', state);
        text(chip, state);
        text(note, describe(job));
        text(share, format.percent(format.percentOf(job)) || (job.state === 'running' && job.progress ? format.amount(job.progress.done, job.progress.unit) : ''));
        text(speed, job.state === 'running' ? format.rate(job.progress?.rate, job.progress?.unit) : '');
        eta.update(job);
        drawn = job;
      }
      const words = eta.text(job, now.steady);
      text(left, words ? `${words} left` : ranFor(job));
      drawBar(line, job, words);
      text(age, format.ago(now.wall - Date.parse(job.createdAt)));
      attr(age, 'title', format.dateTime(job.createdAt));
    },
  };
}

function ranFor(job) {
  if (!job.finishedAt || !job.startedAt) return '';
  return `in ${format.took(Date.parse(job.finishedAt) - Date.parse(job.startedAt))}`;
}

/** One quiet line about a job: why it failed, what it does now, or how much it did. */
function describe(job) {
  const progress = job.progress;
  if (job.state === 'failed') return job.error?.message ?? '';
  if (job.state === 'running' && progress?.message) return progress.message;
  if (job.state === 'running' && progress?.step) return `Step ${progress.step.index} of ${progress.step.count}: ${progress.step.name}`;
  if (job.state === 'queued') return 'Waiting for a worker';
  if (progress?.done) return format.amount(progress.done, progress.unit);
  return '';
}
