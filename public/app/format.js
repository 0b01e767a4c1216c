// Numbers and times as people read them. Pure functions; the page's language is English.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 });
const full = new Intl.NumberFormat('en', { maximumSignificantDigits: 21 });
const cents = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dated = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });

const isBytes = (unit) => /^(b|bytes?)$/i.test(unit ?? '');

export function bytes(n) {
  if (!Number.isFinite(n)) return '–';
  if (Math.abs(n) < 1000) return `${grouped.format(n)} B`;
  let value = n;
  let unit = 'B';
  for (const next of ['kB', 'MB', 'GB', 'TB', 'PB']) {
    if (Math.abs(value) < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 9.95 ? value.toFixed(1) : grouped.format(value)} ${unit}`;
}

/** Two digits of hex for each byte. */
export const hex = (bytes, between = '') => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(between);

export const count = (n) => grouped.format(n);

/** A figure with every digit that it came with: whole numbers beyond 2^53 come as strings of their digits. */
export function exact(n) {
  if (typeof n === 'string') return /^-?\d+$/.test(n) ? grouped.format(BigInt(n)) : n;
  const size = Math.abs(n);
  return n === 0 || (size >= 1e-6 && size < 1e21) ? full.format(n) : String(n);
}

/** A figure to six digits or so, for what is rounded anyway. */
export const figure = (n) => (Number.isInteger(n) ? grouped : Math.abs(n) < 1000 ? precise : cents).format(n);

export function plural(n, word) {
  return `${grouped.format(n)} ${word}${n === 1 || word.endsWith('s') ? '' : 's'}`;
}

export function amount(n, unit) {
  if (isBytes(unit)) return bytes(n);
  return unit ? plural(n, unit) : grouped.format(n);
}

export function rate(n, unit) {
  if (n === null || n === undefined || !Number.isFinite(n)) return '';
  if (isBytes(unit)) return `${bytes(n)}/s`;
  const value = n < 10 ? n.toFixed(1) : grouped.format(n);
  return unit ? `${value} ${unit.endsWith('s') ? unit : `${unit}s`}/s` : `${value}/s`;
}

/** A figure without a unit: below 10 a tenth tells. */
export const tenths = (n) => (n < 10 ? n.toFixed(1) : String(Math.round(n)));

/** A length of time in at most two parts: 4 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return '–';
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 1) return ms > 0 && ms < 950 ? `${Math.max(1, Math.round(ms))} ms` : '0 s';
  if (s < 60) return `${s} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return s % 60 ? `${m} min ${s % 60} s` : `${m} min`;
  const hours = Math.floor(m / 60);
  if (hours < 24) return m % 60 ? `${hours} h ${m % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** How long something took, once it is over: below 10 s a tenth of a second tells. */
export const took = (ms) => (ms >= 950 && ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : duration(ms));

/** How long ago, roughly: just now, 40 s, 12 min, 5 h, 3 d. */
export function ago(ms) {
  const s = Math.floor(Math.max(0, ms) / 1000);
  if (s < 5) return 'just now';
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

export const timeOfDay = (time) => clock.format(new Date(time));
export const dateTime = (time) => dated.format(new Date(time));

/** The last eight characters: in a ULID they are the random part, so they tell jobs apart. */
export const shortId = (id) => (id.length > 12 ? id.slice(-8) : id);

/** What a job works on, as its reader knows it: an upload without the server's random prefix. */
export const subject = (args) => (args?.path === '.' ? './' : args?.path) ?? args?.upload?.replace(/^[A-Z2-7]{26}-/, '') ?? args?.param ?? '';

/** 0 to 100, or null where nobody knows. */
export function percentOf(job) {
  if (job.state === 'completed' && !job.warnings) return 100;
  const progress = job.progress;
  if (!progress) return job.state === 'completed' ? 100 : null;
  if (Number.isFinite(progress.percent)) return progress.percent;
  if (progress.total > 0) return Math.min(99.9, (100 * progress.done) / progress.total);
  return null;
}

/** "42%" or with one decimal "42.7%"; below 100 it never rounds up to it. */
export function percent(value, decimals = 0) {
  if (value === null) return '';
  if (value >= 100) return '100%';
  const step = 10 ** decimals;
  return `${(Math.floor(value * step) / step).toFixed(decimals)}%`;
}

/** The state in words: "completed with 52,000 warnings". */
export const outcome = (job) => (job.state === 'completed' && job.warnings ? `completed with ${plural(job.warnings, 'warning')}` : stateOf(job));

/** The word on a state chip: a running job that was asked to stop is "cancelling". */
export function stateOf(job) {
  if (job.state === 'running' && job.cancelRequested) return 'cancelling';
  if (job.state === 'running' && job.stalled) return 'stalled';
  return job.state;
}
