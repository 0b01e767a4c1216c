// The end of a job: its result by kind, its error, its files.
import { edges, h, icon } from './dom.js';
import * as format from './format.js';

const MISFITS_SHOWN = 50;

/** The result as a person wants to see it; a kind that is not known here is shown as JSON. */
export function resultNode(kind, result) {
  const shape = { checksum, 'csv.profile': csvProfile }[kind];
  const known = shape && result && typeof result === 'object' ? shape(result) : null;
  return known ?? json(result);
}

export function json(value) {
  return h('pre', { class: 'json mono', tabindex: '0' }, JSON.stringify(value, null, 2) ?? '');
}

function tiles(...pairs) {
  return h('dl', { class: 'tiles' }, ...pairs.filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value, tone]) => h('div', { class: 'tile', 'data-tone': tone }, h('dt', {}, name), h('dd', { class: 'num' }, value))));
}

function checksum(result) {
  if (!Number.isFinite(result.files)) return null;
  return tiles(['Files', format.count(result.files)], ['Read', format.bytes(result.bytes)],
    ['Not readable', format.count(result.failed ?? 0), result.failed ? 'bad' : null]);
}

function csvProfile(result) {
  const columns = Array.isArray(result.columns) ? result.columns : null;
  if (!columns) return null;
  const misfits = [result.misfits, result.badRows, result.bad].find(Array.isArray) ?? [];
  const wrong = [result.misfitCount, result.misfitRows, result.badCount].find(Number.isFinite) ?? misfits.length;
  const numeric = (value) => h('td', { class: 'num end' }, value);
  const table = edges(h('div', { class: 'scroll-x', tabindex: '0', role: 'region', 'aria-label': 'Columns' },
    h('table', { class: 'table' },
      h('thead', {}, h('tr', {}, ...['Column', 'Type', 'Empty', 'Distinct', 'Min', 'Max', 'Mean'].map((name, i) => h('th', { scope: 'col', class: i > 1 ? 'end' : null }, name)))),
      h('tbody', {}, ...columns.map((column) => h('tr', {},
        h('th', { scope: 'row' }, column.name || '(no name)'),
        h('td', {}, h('span', { class: 'type mono', 'data-type': column.type }, column.type ?? '')),
        numeric(value(column.empty)),
        numeric(`${column.distinctEstimated ? '≈ ' : ''}${value(column.distinct)}`),
        numeric(extreme(column.min, column.type)), numeric(extreme(column.max, column.type)), numeric(value(column.mean))))))));
  const parts = [tiles(['Rows', Number.isFinite(result.rows) ? format.count(result.rows) : null], ['Columns', format.count(columns.length)],
    ['Size', Number.isFinite(result.bytes) ? format.bytes(result.bytes) : null], ['Rows that do not fit', format.count(wrong), wrong ? 'bad' : null],
    ['Remarks', result.remarkCount ? format.count(result.remarkCount) : null]), table];
  parts.push(lines('Rows that do not fit', misfits, wrong));
  if (Array.isArray(result.remarks)) parts.push(lines('Remarks', result.remarks, result.remarkCount ?? result.remarks.length));
  return h('div', { class: 'profile' }, ...parts);
}

/** Lines of the file with what is to be said of each, folded. */
function lines(title, some, count) {
  if (!some.length) return null;
  return h('details', { class: 'misfits' }, h('summary', {}, `${title} (${format.count(count)})`),
    h('ul', {}, ...some.slice(0, MISFITS_SHOWN).map((row) => h('li', {},
      h('span', { class: 'mono' }, `Line ${format.count(row.line ?? row)}`), ' ', row.reason ?? row.detail ?? row.message ?? ''))),
    count > MISFITS_SHOWN ? h('p', { class: 'hint' }, `The first ${MISFITS_SHOWN} of ${format.count(count)}.`) : null);
}

function value(one) {
  if (one === null || one === undefined || one === '') return '–';
  return typeof one === 'number' ? format.figure(one) : String(one);
}

/** The least or the greatest value, with every digit that it came with. */
function extreme(one, type) {
  const figure = type === 'integer' || type === 'number';
  return figure && (typeof one === 'number' || typeof one === 'string') ? format.exact(one) : value(one);
}

export function errorNode(error) {
  return h('div', { class: 'failure', test: 'error' },
    h('p', { class: 'failure-message' }, error.message),
    h('p', { class: 'failure-type mono' }, [error.type, error.code, error.attempt ? `attempt ${error.attempt}` : ''].filter(Boolean).join(' · ')),
    error.stack ? h('details', {}, h('summary', {}, 'Stack'), h('pre', { class: 'json mono', tabindex: '0' }, error.stack)) : null);
}

export function artifactNode(artifact) {
  const to = new URL(artifact.href, location.origin);
  if (to.origin !== location.origin) return h('li', {}, artifact.name); // only files of this server become links
  return h('li', {}, h('a', { class: 'file', href: to.pathname + to.search, download: artifact.name, test: 'artifact' },
    icon('file'), h('span', { class: 'file-name' }, artifact.name),
    h('span', { class: 'file-size num' }, Number.isFinite(artifact.size) ? format.bytes(artifact.size) : ''), icon('down')));
}
