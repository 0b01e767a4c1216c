// The page: one socket, two views, links between them.
import { onDrop } from '../shared/drop.js';
import { connect } from './connection.js';
import { edges, show, text } from './dom.js';
import { jobView } from './job.js';
import { learnKinds } from './kinds.js';
import { listView } from './list.js';

const main = document.getElementById('main');
const spoken = document.getElementById('spoken');
const navList = document.querySelector('[data-nav=list]');
const running = document.querySelector('[data-part=running]');

const socket = connect();

const app = {
  socket,
  /** One polite sentence for assistive technology. */
  say(sentence) { text(spoken, sentence); },
  title(words) { document.title = words ? `${words} · Jobcast` : 'Jobcast'; },
  counts(counts) {
    const n = counts?.running ?? 0;
    text(running, String(n));
    running.title = `${n} running`;
    show(running, n > 0);
  },
  go,
  /** The list as it was left, with its filters. */
  listPath: () => `/${left?.search ?? ''}`,
};

learnKinds(socket);

let view = null;
let left = null; // the place in the list as it was left

/** Goes to a path of this page. ?transport= stays, so that a comparison survives a click. */
function go(path, place) {
  const to = new URL(path, location.origin);
  const transport = new URLSearchParams(location.search).get('transport');
  if (transport) to.searchParams.set('transport', transport);
  keepPlace();
  history.pushState(null, '', to.pathname + to.search + to.hash);
  route({ moved: true, place });
}

/** Remembers where the reader is in the list: for this page, and in the history for one that is loaded again. */
function keepPlace() {
  if (!view?.place) return;
  left = view.place();
  history.replaceState({ y: left.y, count: left.count }, '');
}

function route({ moved, place }) {
  view?.stop();
  const job = /^\/jobs\/([^/]+)\/?$/.exec(location.pathname);
  view = job ? jobView(app, decode(job[1])) : listView(app, place);
  main.replaceChildren(view.node);
  if (job) navList.removeAttribute('aria-current');
  else navList.setAttribute('aria-current', 'page');
  app.say('');
  if (moved) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  view.shown?.();
}

/** The place that a step through the history comes back to. */
function placeOf(state) {
  if (left?.search === location.search) return left;
  return Number.isFinite(state?.y) ? state : null;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[data-link]');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute('href'), link.dataset.link === 'back' ? left : null);
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'n' || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.target.closest?.('input, textarea, select, [contenteditable]')) return;
  event.preventDefault();
  go('/?new');
});
onDrop((files, about) => {
  if (!view.take) go('/?new');
  view.take(files, about);
});
window.addEventListener('popstate', (event) => {
  if (view.place) left = view.place();
  route({ moved: false, place: placeOf(event.state) });
});
window.addEventListener('pagehide', keepPlace);
edges(document.querySelector('.nav'));
route({ moved: false, place: placeOf(history.state) });
