// The page: one socket, two views, links between them.
import { connect } from './connection.js';
import { show, text } from './dom.js';
import { jobView } from './job.js';
import { listView } from './list.js';

const main = document.getElementById('main');
const spoken = document.getElementById('spoken');
const navList = document.querySelector('[data-nav=list]');
const running = document.querySelector('[data-part=running]');

const socket = connect(document.querySelector('[data-testid=badge]'));

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
};

let view = null;

/** Goes to a path of this page. ?transport= stays, so that a comparison survives a click. */
function go(path) {
  const to = new URL(path, location.origin);
  const transport = new URLSearchParams(location.search).get('transport');
  if (transport) to.searchParams.set('transport', transport);
  history.pushState(null, '', to.pathname + to.search + to.hash);
  route(true);
}

function route(moved) {
  view?.stop();
  const job = /^\/jobs\/([^/]+)\/?$/.exec(location.pathname);
  view = job ? jobView(app, decode(job[1])) : listView(app);
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
  go(link.getAttribute('href'));
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'n' || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.target.closest?.('input, textarea, select, [contenteditable]')) return;
  event.preventDefault();
  go('/?new');
});
window.addEventListener('popstate', () => route(false));
route(false);
