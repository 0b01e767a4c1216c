// The list of jobs with live bars, beside the panel that starts one.
import { ask, isLive, onLink } from './connection.js';
import { complain, h, painter, show, text } from './dom.js';
import * as format from './format.js';
import { matches, narrowing, order } from './narrow.js';
import { Clock } from './progress.js';
import { jobRow } from './row.js';
import { sentence, startPanel } from './start.js';

const PAGE = 50; // jobs asked for at first, and with each "Show older jobs"
const MOST = 200; // jobs that the server gives at once

/**
 * place is where a reader was in the list, as place() has told it: {y, count}, and the jobs themselves while
 * this page has not been reloaded since.
 */
export function listView(app, place) {
  const jobs = new Map(place?.jobs); // id -> job, of the query
  const rows = new Map(); // id -> row
  const clock = new Clock(isLive);
  let counts = place?.counts ?? {};
  let next = place?.next ?? '';
  let loaded = jobs.size > 0;
  let stopped = false;
  let asked = 0; // tells the answer to the newest question from older ones
  let meanwhile = null; // what has changed since a question that is not answered yet
  let search = location.search; // of the list, which the address may have left already
  let goal = place?.y ?? 0; // where to scroll to once there is enough to scroll

  const panel = startPanel(app);
  const narrow = narrowing(changeQuery);
  const list = h('ul', { class: 'rows', 'aria-label': 'Jobs' });
  const more = h('button', { type: 'button', class: 'quiet more', hidden: true, test: 'more', on: { click: older } }, 'Show more jobs');
  const emptyTitle = h('h2', {});
  const emptyText = h('p', {});
  const emptyButton = h('button', { type: 'button', class: 'quiet', on: { click: () => (narrowed() ? narrow.clear() : panel.focus()) } });
  const empty = h('div', { class: 'empty', hidden: true },
    h('div', { class: 'empty-art', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), emptyTitle, emptyText, emptyButton);
  const loading = h('div', { class: 'skeleton', 'aria-hidden': 'true' }, ...Array.from({ length: 4 }, () => h('i')));
  const error = h('p', { class: 'form-error', role: 'alert', hidden: true });

  const node = h('div', { class: 'split' },
    h('section', { class: 'split-main', 'aria-labelledby': 'jobs-title' },
      h('div', { class: 'page-head' }, h('h1', { id: 'jobs-title' }, 'Jobs'), narrow.states),
      narrow.node, error,
      h('div', { class: 'card list-card' }, loading, list, empty, more)),
    h('aside', { class: 'split-side', 'aria-label': 'Start a job' }, panel.node));

  // ---- what comes from the server

  function take(fresh) {
    for (const job of fresh) {
      if (!ranks.has(job.id)) ranks.set(job.id, --lowest);
      const known = jobs.get(job.id);
      if (known && known.seq > job.seq) continue;
      if (matches(narrow.query(), job)) jobs.set(job.id, job);
      else jobs.delete(job.id);
    }
    narrow.learn(fresh);
    paint.mark();
  }

  function setCounts(fresh) {
    counts = fresh ?? counts;
    app.counts(counts);
  }

  function onChanged(change) {
    meanwhile?.push(change);
    for (const id of change.removed ?? []) jobs.delete(id);
    setCounts(change.counts);
    if (change.again) return load();
    const edge = next === '' ? null : sorted().at(-1);
    // What comes after the part of the list that is here is not shown before the jobs between.
    const changed = (change.jobs ?? []).filter((job) => !(jobs.get(job.id)?.seq >= job.seq));
    for (const job of changed) ranks.set(job.id, ++highest);
    take(changed.filter((job) => jobs.has(job.id) || !edge || sorting()(job, edge) < 0));
  }

  function watch() {
    app.socket.emit('jobs:watch', {}, (ack) => {
      if (stopped) return;
      if (!ack.ok) return fail(ack.error);
      setCounts(ack.counts);
      load();
    });
  }

  /** Reads the list from its beginning, as far as it was shown; what is no longer in it goes away. */
  function load() {
    const wanted = Math.max(PAGE, jobs.size, loaded ? 0 : place?.count ?? 0);
    const found = [];
    meanwhile = [];
    const read = (cursor) => request({ limit: Math.min(MOST, wanted - found.length), cursor }, (ack) => {
      found.push(...ack.jobs);
      if (ack.next && found.length < wanted) return read(ack.next);
      const since = meanwhile;
      meanwhile = null;
      loaded = true;
      next = ack.next ?? '';
      jobs.clear();
      ranks.clear();
      highest = lowest = 0;
      setCounts(ack.counts);
      take(found);
      since.forEach(onChanged);
    });
    read();
  }

  function older() {
    more.disabled = true;
    request({ limit: PAGE, cursor: next }, (ack) => {
      next = ack.next ?? '';
      take(ack.jobs);
    });
  }

  /** Asks for a page; an answer that a newer question has overtaken is not taken. */
  function request(page, done) {
    const number = ++asked;
    ask(app.socket, 'jobs:list', { ...narrow.query(), ...page }, (ack) => {
      if (stopped || number !== asked) return;
      more.disabled = false;
      if (!ack.ok) return fail(ack.error);
      complain(error, '');
      done(ack);
    });
  }

  function fail(problem) {
    complain(error, sentence(problem));
  }

  function changeQuery(query) {
    search = location.search;
    for (const [id, job] of jobs) if (!matches(query, job)) jobs.delete(id);
    ranks.clear(); // those that are left may stand in any order until the server's list comes
    next = '';
    loaded = false;
    load();
    paint.mark();
  }

  const narrowed = () => Object.keys(narrow.query()).some((name) => name !== 'sort');

  // ---- drawing

  // Jobs that change come before those that were read, in the order that they came in.
  const ranks = new Map([...jobs.keys()].map((id, i) => [id, -i]));
  let highest = 0;
  let lowest = -ranks.size;
  const sorting = () => order(narrow.query().sort, (job) => ranks.get(job.id) ?? 0);
  const sorted = () => [...jobs.values()].sort(sorting());

  function draw() {
    const now = clock.now();
    narrow.draw(counts);
    for (const [id, row] of rows) {
      if (jobs.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    // Rows are moved only where the order differs, so focus and hover stay where they are.
    let at = list.firstElementChild;
    for (const job of sorted()) {
      let row = rows.get(job.id);
      if (!row) rows.set(job.id, (row = jobRow(job, narrow.tagged)));
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
      text(emptyTitle, narrowed() ? 'No such jobs' : 'Nothing has run yet');
      text(emptyText, narrowed() ? 'Jobs appear here by themselves when they match what you look for.'
        : 'Start one: point Checksum at a directory, or drop a CSV file. You can close this page meanwhile; the job goes on, and its story is here when you come back.');
      text(emptyButton, narrowed() ? 'Show all jobs' : 'Start the first job');
    }
    if (goal && loaded && node.isConnected) {
      window.scrollTo(0, goal);
      goal = 0;
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
    shown() {
      if (new URLSearchParams(location.search).has('new')) panel.focus();
      else draw();
    },
    take: panel.take,
    /** Where the reader is now: what listView takes to go on there. */
    place: () => ({ search, y: window.scrollY, count: jobs.size, jobs: sorted().map((job) => [job.id, job]), next, counts }),
    stop() {
      stopped = true;
      clearInterval(ticking);
      unlink();
      paint.stop();
      panel.stop();
      narrow.stop();
      app.socket.off('connect', watch);
      app.socket.off('jobs:changed', onChanged);
      if (app.socket.connected) app.socket.emit('jobs:unwatch', {}, () => {});
    },
  };
}
