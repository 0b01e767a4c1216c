// One socket for the whole page, and what the badge in the header says about it.
import { attr, text } from './dom.js';

const PROBE_MS = 5000;
const SLOW_MS = 10000;

/** The transports that ?transport= asks for; without it the stock default, with the upgrade. */
function transports() {
  const wanted = new URLSearchParams(location.search).get('transport');
  return wanted === 'polling' || wanted === 'websocket' ? [wanted] : ['polling', 'websocket'];
}

const link = {
  state: 'connecting', // connecting, live, offline
  transport: '',
  rttMs: null,
  retryAt: null,
  listeners: new Set(),
};

/** Whether clocks may run: what is shown is as fresh as it looks. */
export const isLive = () => link.state === 'live';

/** Calls `call(state)` on every change of the connection's state; returns what ends that. */
export function onLink(call) {
  link.listeners.add(call);
  return () => link.listeners.delete(call);
}

export function connect(badge) {
  // eslint-disable-next-line no-undef
  const socket = io('/jobs', {
    transports: transports(),
    reconnectionDelay: 300,
    reconnectionDelayMax: 3000,
  });
  const label = badge.querySelector('[data-part=label]');
  const transport = badge.querySelector('[data-part=transport]');
  const rtt = badge.querySelector('[data-part=rtt]');

  const draw = () => {
    attr(badge, 'data-state', link.state);
    attr(document.documentElement, 'data-link', link.state);
    text(label, { connecting: 'Connecting', live: 'Live', offline: 'Offline, reconnecting' }[link.state]);
    text(transport, link.state === 'live' ? link.transport : '');
    text(rtt, link.state === 'live' && link.rttMs !== null ? `${link.rttMs < 1 ? '<1' : Math.round(link.rttMs)} ms` : '');
  };
  const set = (state) => {
    const changed = state !== link.state;
    link.state = state;
    draw();
    if (changed) for (const call of link.listeners) call(state);
  };

  // The smallest question that the server answers is a list of one job; it is also the round trip.
  const probe = () => {
    if (!socket.connected || document.hidden) return;
    const sent = performance.now();
    socket.emit('jobs:list', { limit: 1 }, () => {
      link.rttMs = performance.now() - sent;
      draw();
    });
  };

  socket.on('connect', () => {
    const { engine } = socket.io;
    link.transport = engine.transport.name;
    engine.on('upgrade', (to) => {
      link.transport = to.name;
      draw();
      probe();
    });
    link.rttMs = null;
    set('live');
    probe();
  });
  socket.on('disconnect', (reason) => {
    set('offline');
    // After a disconnect by the server the stock client waits for the page to decide. It does.
    if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 1000);
  });
  socket.on('connect_error', () => {
    set('offline');
    if (!socket.active) setTimeout(() => socket.connect(), 3000);
  });
  setInterval(probe, PROBE_MS);
  document.addEventListener('visibilitychange', probe);
  draw();
  return socket;
}

/** The problem that stands for an answer that did not come in time. */
const LATE = Object.freeze({
  type: 'urn:jobs:problem:unavailable', code: 'unavailable', status: 503,
  title: 'The server does not answer', detail: 'Your request was not lost: try again, it will not run twice.',
});

/**
 * Emits and calls `done(ack)` exactly once, also when no answer comes. Only for requests that
 * may be sent twice: reads, cancel, and a start with its idempotency key.
 */
export function ask(socket, name, payload, done) {
  socket.timeout(SLOW_MS).emit(name, payload, (late, ack) => done(late ? { ok: false, error: LATE } : ack));
}
