// The badge in the header: the state of the page's connection, what it runs over, and its round trip.
import { attr, text } from '../app/dom.js';

const LABELS = { connecting: 'Connecting', live: 'Live', offline: 'Offline, reconnecting', idle: 'Not connected', refused: 'Refused' };

/** Shows a state of LABELS; for a live connection also its transport, and its round trip in ms where it is known. */
export function showState(state, { transport = '', rttMs = null } = {}) {
  const badge = document.querySelector('[data-testid=badge]');
  const part = (name) => badge.querySelector(`[data-part=${name}]`);
  const live = state === 'live';
  attr(badge, 'data-state', state);
  attr(document.documentElement, 'data-link', state);
  text(part('label'), LABELS[state]);
  text(part('transport'), live ? transport : '');
  text(part('rtt'), live && rttMs !== null ? `${rttMs < 1 ? '<1' : Math.round(rttMs)} ms` : '');
}
