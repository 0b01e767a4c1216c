// Which jobs the list shows, and in what order: search, filters and sort, kept in the address.
import { attr, edges, h, show, text } from './dom.js';
import * as format from './format.js';
import { kindTitle } from './kinds.js';

const STATES = { '': 'All', running: 'Running', queued: 'Queued', completed: 'Completed', failed: 'Failed', cancelled: 'Cancelled' };
const SORTS = { '': 'Newest first', oldest: 'Oldest first', changed: 'Changed last', title: 'By title' };
const NAMES = ['state', 'kind', 'tag', 'q', 'sort'];
const TYPING_MS = 250; // after the last letter, before the list is asked for

/** The query of an address, as jobs:list takes it; what is not set is not in it. */
export function queryOf(search) {
  const given = new URLSearchParams(search);
  const query = {};
  for (const name of NAMES) if (given.get(name)) query[name] = given.get(name);
  if (!(query.state in STATES)) delete query.state;
  if (!(query.sort in SORTS)) delete query.sort;
  return query;
}

/** Whether a job belongs to a query, by the rules of the server. */
export function matches(query, job) {
  if (query.state && job.state !== query.state && !(query.state === 'queued' && job.state === 'scheduled')) return false;
  if (query.kind && job.kind !== query.kind) return false;
  if (query.tag && !job.tags?.includes(query.tag)) return false;
  const words = query.q?.toLowerCase().split(/\s+/).filter(Boolean) ?? [];
  const parts = [job.id, job.kind, job.title ?? '', ...(job.tags ?? [])].map((part) => part.toLowerCase());
  return words.every((word) => parts.some((part) => part.includes(word)));
}

const newest = (a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1);
const titleKey = (job) => (job.title || job.kind).toLowerCase();

/**
 * The order of a list, as the server has it: compare(a, b). rank(job) is higher for a job whose newest event came
 * later, which a job itself does not tell.
 */
export function order(sort, rank) {
  return {
    oldest: (a, b) => -newest(a, b),
    changed: (a, b) => rank(b) - rank(a),
    title: (a, b) => (titleKey(a) < titleKey(b) ? -1 : titleKey(a) > titleKey(b) ? 1 : newest(a, b)),
  }[sort] ?? newest;
}

/** onChange(query) is called whenever a person wants to see something else. */
export function narrowing(onChange) {
  let query = queryOf(location.search);
  let timer = null;
  let counts = {};
  const seen = { kind: new Set(), tag: new Set() };

  const states = Object.entries(STATES).map(([state, name]) => {
    const number = h('span', { class: 'filter-count num' });
    const button = h('button', { type: 'button', class: 'filter', data: { filter: state || 'all' }, on: { click: () => set('state', state) } }, name, number);
    return { state, button, number };
  });
  const search = h('input', {
    type: 'search', class: 'search', test: 'search', placeholder: 'Search', 'aria-label': 'Search by title, kind, tag or id', autocomplete: 'off', spellcheck: 'false', maxlength: '200',
    on: { input: () => { clearTimeout(timer); timer = setTimeout(() => set('q', search.value.trim()), TYPING_MS); } },
  });
  const selects = { kind: select('kind', 'Kind'), tag: select('tag', 'Tag') };
  const sort = select('sort', 'Order', Object.entries(SORTS));

  function select(name, label, options = []) {
    return h('select', { test: `filter-${name}`, 'aria-label': label, on: { change: (event) => set(name, event.target.value) } }, ...options.map(([value, words]) => h('option', { value }, words)));
  }

  function set(name, value) {
    if ((query[name] ?? '') === value) return;
    query = { ...query };
    if (value) query[name] = value;
    else delete query[name];
    const to = new URL(location.href);
    for (const each of NAMES) {
      if (query[each]) to.searchParams.set(each, query[each]);
      else to.searchParams.delete(each);
    }
    to.searchParams.delete('new');
    history.replaceState(null, '', to);
    draw();
    onChange(query);
  }

  function draw(fresh = counts) {
    counts = fresh;
    // The server counts all jobs, so the numbers say nothing about a part of them.
    const all = !query.q && !query.kind && !query.tag;
    for (const { state, button, number } of states) {
      attr(button, 'aria-pressed', String(state === (query.state ?? '')));
      const n = state ? (counts[state] ?? 0) + (state === 'queued' ? counts.scheduled ?? 0 : 0)
        : Object.values(counts).reduce((sum, one) => sum + one, 0);
      text(number, all ? format.count(n) : '');
      button.classList.toggle('zero', n === 0);
    }
    if (document.activeElement !== search) search.value = query.q ?? '';
    for (const [name, node] of Object.entries(selects)) {
      const values = [...new Set([...seen[name], ...(query[name] ? [query[name]] : [])])].sort();
      const names = [`Any ${name}`, ...values.map((value) => (name === 'kind' ? kindTitle(value) : value))];
      if (node.options.length !== names.length || names.some((words, i) => node.options[i].text !== words)) {
        node.replaceChildren(...names.map((words, i) => h('option', { value: values[i - 1] ?? '' }, words)));
      }
      node.value = query[name] ?? '';
      show(node, values.length > (name === 'kind' ? 1 : 0));
    }
    sort.value = query.sort ?? '';
  }

  return {
    states: edges(h('div', { class: 'filters', role: 'group', 'aria-label': 'Show jobs that are' }, ...states.map((one) => one.button))),
    node: h('div', { class: 'narrow', role: 'search' }, search, h('div', { class: 'narrow-selects' }, selects.kind, selects.tag, sort)),
    query: () => query,
    /** The list has jobs of such kinds and tags. */
    learn(jobs) {
      for (const job of jobs) {
        seen.kind.add(job.kind);
        for (const tag of job.tags ?? []) seen.tag.add(tag);
      }
    },
    draw,
    /** Shows all jobs again. */
    clear() {
      clearTimeout(timer);
      search.value = '';
      query = query.sort ? { sort: query.sort } : {};
      const to = new URL(location.href);
      for (const name of ['state', 'kind', 'tag', 'q', 'new']) to.searchParams.delete(name);
      history.replaceState(null, '', to);
      onChange(query);
    },
    tagged: (tag) => set('tag', tag),
    stop() { clearTimeout(timer); },
  };
}
