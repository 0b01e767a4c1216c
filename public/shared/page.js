// What the pages of the systems share: the choice of the transport, and small parts.
import { edges, h, text } from '/app/dom.js';
import { showState } from './badge.js';
import { onDrop } from './drop.js';

const spoken = document.getElementById('spoken');

// On a narrow screen the links scroll sideways; this brings the one of this page into view.
const nav = document.querySelector('.nav');
const current = nav.querySelector('[aria-current]');
if (current) nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
edges(nav);
onDrop(); // none of these pages takes files

/** The element with this id, which the page has. */
export const $ = (id) => document.getElementById(id);

/** Shows the state of the connection, and what it runs over, in the header. */
export const setState = (state, transport) => showState(state, { transport });

/** Writes one parameter of the page's address, without a step of the history. */
export function setParameter(name, value) {
  const to = new URL(location.href);
  to.searchParams.set(name, value);
  history.replaceState(null, '', to);
}

/** One polite sentence for assistive technology. */
export function say(sentence) { text(spoken, sentence); }

/**
 * Fills the page's choice of a transport, and opens the one of ?transport=, or the first. ways are
 * {value, label, about}; open(value, onState) returns a link, and is called again on a change and on
 * reopen(). What an earlier link still says about its state is not listened to.
 */
export function transports(ways, open) {
  const select = $('transport');
  const about = $('transport-about');
  const wanted = new URLSearchParams(location.search).get('transport');
  let link = null;
  let number = 0;

  function reopen() {
    link?.close();
    const mine = ++number;
    const way = ways.find((one) => one.value === select.value);
    if (about) text(about, way.about);
    link = open(way.value, (state) => {
      if (mine === number) setState(state, way.short ?? way.label);
    });
  }
  select.replaceChildren(...ways.map((way) => h('option', { value: way.value }, way.label)));
  select.value = ways.some((way) => way.value === wanted) ? wanted : ways[0].value;
  select.addEventListener('change', () => {
    setParameter('transport', select.value);
    reopen();
  });
  reopen();
  return {
    reopen,
    get value() { return select.value; },
    /** Changes to another way, as a person would. */
    choose(value) {
      if (select.value === value) return;
      select.value = value;
      select.dispatchEvent(new Event('change'));
    },
    /** Offers only some of the ways, and goes to the first of them where the chosen one is not among them. */
    offer(allowed) {
      for (const option of select.options) option.hidden = option.disabled = !allowed(option.value);
      if (select.selectedOptions[0].disabled) select.value = [...select.options].find((option) => !option.disabled).value;
    },
  };
}

/** The two that every system has. */
export const SOCKETIO = [
  { value: 'websocket', label: 'Socket.IO over WebSocket', short: 'WebSocket', about: 'One connection stays open. Each event is one frame on it, in either direction.' },
  { value: 'polling', label: 'Socket.IO over polling', short: 'polling', about: 'The same events, carried by ordinary requests: one waits for what comes, others bring what is sent.' },
];

/**
 * A list that keeps the newest `most` lines, and stays at its end unless the reader has scrolled up.
 */
export function logList(list, most) {
  return {
    add(...nodes) {
      const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
      list.append(...nodes);
      while (list.childElementCount > most) list.firstElementChild.remove();
      if (atEnd) list.scrollTop = list.scrollHeight;
    },
    clear() { list.replaceChildren(); },
  };
}

/** The problem of a refused request in one sentence. */
export const sentence = (problem) => problem?.detail ?? problem?.title ?? 'Something went wrong.';
