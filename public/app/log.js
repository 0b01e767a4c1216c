// A job's log: follows the end until the reader scrolls up, and keeps about 500 lines in the document.
import { ansi } from './ansi.js';
import { ask } from './connection.js';
import { h, icon, painter, show, text } from './dom.js';
import * as format from './format.js';

const SHOWN = 500; // lines in the document
const KEPT = 5000; // lines in memory; older ones are read from the server again
const STEP = 200; // lines that a scroll or a click brings in

export function logPanel(app, id) {
  let items = []; // {n, …line} by number; {n, gap} stands for lines that are not here
  let shown = []; // the part of items that is in the document
  let lo = 0;
  let hi = 0;
  let following = true;
  let behind = 0; // lines that came while not following
  let total = 0;
  let asking = false;
  let firstStored = 1;
  let over = false; // no line comes any more
  let goal = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);

  const body = h('div', { class: 'log-lines' });
  const earlier = h('button', { type: 'button', class: 'log-earlier', hidden: true, on: { click: loadEarlier } }, 'Load earlier lines');
  const nothing = h('p', { class: 'log-nothing' }, 'No lines yet.');
  const scroller = h('div', { class: 'log', test: 'log', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': 'Log of the job', on: { scroll: onScroll } }, earlier, nothing, body);
  const followText = h('span', {}, 'Follow');
  const follow = h('button', { type: 'button', class: 'follow', test: 'follow', hidden: true, on: { click: startFollowing } }, icon('down'), followText);
  const number = h('span', { class: 'card-note num' });
  const node = h('section', { class: 'card log-card', 'aria-labelledby': 'log-title' },
    h('div', { class: 'card-head' }, h('h2', { id: 'log-title', class: 'card-title' }, 'Log'), number),
    h('div', { class: 'log-frame' }, scroller, follow));

  body.addEventListener('click', (event) => {
    const link = event.target.closest('a.ln-n');
    if (!link) return;
    event.preventDefault();
    history.replaceState(null, '', link.hash);
    goal = Number(link.hash.slice(2));
    mark();
  });

  // ---- lines in

  function add(chunk, skipped) {
    const last = items.length ? items[items.length - 1].n : 0;
    if (skipped > 0 && last > 0) items.push({ n: chunk.line - 0.5, after: last, gap: chunk.line - 1 - last });
    chunk.lines.forEach((line, i) => {
      const n = chunk.line + i;
      if (n > last) items.push({ n, ...line });
    });
    total = Math.max(total, chunk.line + chunk.lines.length - 1);
    if (!following) behind += chunk.lines.length;
    if (items.length > KEPT) {
      const cut = Math.min(items.length - KEPT, following ? Infinity : lo);
      items.splice(0, cut);
      lo = Math.max(0, lo - cut);
      hi -= cut;
    }
    paint.mark();
  }

  function prepend(chunk) {
    const first = items.length ? items[0].n : Infinity;
    const fresh = [];
    chunk.lines.forEach((line, i) => {
      if (chunk.line + i < first) fresh.push({ n: chunk.line + i, ...line });
    });
    if (fresh.length === 0) {
      firstStored = first; // nothing older is stored
      return;
    }
    const missing = first - 1 - fresh[fresh.length - 1].n;
    if (missing >= 1 && Number.isFinite(missing)) fresh.push({ n: first - 0.5, after: first - 1 - missing, gap: missing });
    items = fresh.concat(items);
    lo = 0;
    hi = Math.min(items.length, Math.max(SHOWN, following ? items.length : 0));
  }

  function loadEarlier() {
    if (asking || items.length === 0) return;
    letGo();
    if (lo > 0) {
      moveUp();
      paint.mark();
      return;
    }
    asking = true;
    earlier.disabled = true;
    const after = Math.max(0, items[0].n - 1 - STEP);
    ask(app.socket, 'job:logs', { id, after, limit: items[0].n - 1 - after }, (ack) => {
      asking = false;
      earlier.disabled = false;
      if (ack.ok && ack.log?.lines?.length) prepend(ack.log);
      else if (ack.ok) firstStored = items[0].n;
      draw();
    });
  }

  /** Reads the last lines that a gap stands for, and leaves a smaller gap, or none. */
  function close(item) {
    if (asking) return;
    asking = true;
    const before = Math.ceil(item.n); // the first line after the gap
    const after = Math.max(item.after, before - 1 - STEP);
    ask(app.socket, 'job:logs', { id, after, limit: before - 1 - after }, (ack) => {
      asking = false;
      const at = items.indexOf(item);
      if (at < 0 || !ack.ok) return;
      letGo();
      const lines = (ack.log?.lines ?? []).map((line, i) => ({ n: ack.log.line + i, ...line })).filter(({ n }) => n > item.after && n < before);
      const gap = lines.length ? lines[0].n - 1 - item.after : 0; // what is not stored any more is not missed
      items.splice(at, 1, ...(gap > 0 ? [{ n: item.n - lines.length, after: item.after, gap }] : []), ...lines);
      lo = Math.max(0, Math.min(at - STEP, items.length - SHOWN));
      hi = Math.min(items.length, lo + SHOWN);
      draw();
    });
  }

  /** A link such as #L120 points at a line that may be far from the end. */
  function seek() {
    const n = goal;
    if (items.length === 0 || n < 1) return;
    if (n < items[0].n) {
      if (asking) return;
      asking = true;
      ask(app.socket, 'job:logs', { id, after: Math.max(0, n - STEP / 2), limit: STEP }, (ack) => {
        asking = false;
        if (!ack.ok || !ack.log?.lines?.length) goal = 0;
        else {
          prepend(ack.log);
          if (n < items[0].n) goal = 0;
        }
        draw();
      });
      return;
    }
    const at = items.findIndex((item) => item.n === n);
    if (at < 0) return;
    goal = 0;
    letGo();
    lo = Math.max(0, Math.min(at - STEP, items.length - SHOWN));
    hi = Math.min(items.length, lo + SHOWN);
    render();
    body.querySelector('.ln.goal')?.classList.remove('goal');
    const line = items[at].node;
    line.classList.add('goal');
    scroller.scrollTop = line.offsetTop - scroller.clientHeight / 3;
  }

  function mark() {
    const item = items.find((one) => one.n === goal);
    goal = 0;
    body.querySelector('.ln.goal')?.classList.remove('goal');
    item?.node?.classList.add('goal');
  }

  // ---- the window on them

  function letGo() {
    following = false;
  }

  function startFollowing() {
    following = true;
    behind = 0;
    draw();
    scroller.focus({ preventScroll: true });
  }

  function moveUp() {
    lo = Math.max(0, lo - STEP);
    hi = Math.min(items.length, lo + SHOWN);
  }

  function onScroll() {
    const rest = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    if (rest > 24) {
      if (following) {
        letGo();
        paint.mark();
      }
      if (scroller.scrollTop < 80 && lo > 0) {
        moveUp();
        draw();
      }
      return;
    }
    if (following) return;
    if (items.length - hi > STEP) {
      hi = Math.min(items.length, hi + STEP);
      lo = Math.max(0, hi - SHOWN);
      draw();
    } else if (scroller.scrollHeight > scroller.clientHeight) {
      following = true;
      behind = 0;
      draw();
    }
  }

  /** Makes the document hold items[lo, hi); what was on screen stays where it was. */
  function render() {
    const anchor = following ? null : shown.find((item) => item.node.offsetTop + item.node.offsetHeight > scroller.scrollTop);
    const before = anchor?.node.offsetTop;
    const wanted = items.slice(lo, hi);
    const keep = new Set(wanted);
    for (const item of shown) {
      if (keep.has(item)) continue;
      item.node.remove();
      item.node = null;
    }
    let at = body.firstElementChild;
    for (const item of wanted) {
      item.node ??= item.gap ? gapNode(item, close) : lineNode(item);
      if (item.node === at) at = at.nextElementSibling;
      else body.insertBefore(item.node, at);
    }
    shown = wanted;
    if (anchor?.node) scroller.scrollTop += anchor.node.offsetTop - before;
  }

  function draw() {
    if (goal) seek();
    if (following) {
      hi = items.length;
      lo = Math.max(0, hi - SHOWN);
    }
    show(nothing, items.length === 0);
    show(earlier, items.length > 0 && (lo > 0 || items[0].n > firstStored));
    render();
    if (following) scroller.scrollTop = scroller.scrollHeight;
    show(follow, !following && (behind > 0 || (!over && scroller.scrollHeight > scroller.clientHeight)));
    text(followText, behind > 0 ? `Follow · ${format.plural(behind, 'new line')}` : 'Follow');
    text(number, total ? format.plural(total, 'line') : '');
  }

  const paint = painter(draw);

  return {
    node,
    add,
    /** The job's own account of its log: how many lines there are, and which is the oldest. */
    info(log) {
      if (log?.firstLine) firstStored = Math.max(firstStored, log.firstLine);
      total = Math.max(total, log?.lines ?? 0);
      paint.mark();
    },
    ended() {
      over = true;
      text(nothing, 'This job wrote no log.');
      paint.mark();
    },
    refresh: () => paint.mark(),
    stop: () => paint.stop(),
  };
}

function gapNode(item, onClick) {
  return h('div', { class: 'ln-gap', test: 'log-gap' }, `${format.plural(item.gap, 'line')} skipped: they came faster than they can be shown. `,
    h('button', { type: 'button', class: 'text-button', on: { click: () => onClick(item) } }, 'Show them'));
}

function lineNode(line) {
  const message = h('span', { class: 'ln-m' });
  for (const run of ansi(line.m)) {
    if (run.classes) message.append(h('span', { class: run.classes }, run.text));
    else message.append(run.text);
  }
  if (line.f) {
    for (const [key, value] of Object.entries(line.f)) {
      message.append(' ', h('span', { class: 'ln-f' }, `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`));
    }
  }
  const time = format.timeOfDay(line.t);
  return h('div', { class: 'ln', test: 'log-line', data: { line: line.n, level: line.l ?? (line.s === 'err' ? 'warn' : 'info') } },
    h('a', { class: 'ln-n', href: `#L${line.n}`, tabindex: '-1', 'aria-label': `Line ${line.n}` }, String(line.n)),
    h('time', { class: 'ln-t', datetime: new Date(line.t).toISOString() }, time), message);
}
