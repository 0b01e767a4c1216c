// One socket for the whole page, and what the badge in the header says about it.
import { showState } from '../shared/badge.js';
import { ENGINE } from '../shared/links.js';

const PROBE_MS = 5000;
const SLOW_MS = 10000;

const link = {
  state: 'connecting', // connecting, live, offline
  transport: '',
  rttMs: null,
  retryAt: null,
  listeners: new Set(),
};

/** Whether there is a connection. Without one the clocks on the page stand still. */
export const isLive = () => link.state === 'live';

/** Calls `call(state)` on every change of the connection's state; returns what ends that. */
export function onLink(call) {
  link.listeners.add(call);
  return () => link.listeners.delete(call);
}

/** Connects to /jobs over what ?transport= asks for; without it polling, with the upgrade. */
export function connect() {
  const wanted = new URLSearchParams(location.search).get('transport');
  // eslint-disable-next-line no-undef
  const socket = io('/jobs', {
    transports: ENGINE[wanted] ?? ENGINE.auto,
    reconnectionDelay: 300,
    reconnectionDelayMax: 3000,
  });

  const draw = () => showState(link.state, link);
  const set = (state) => {
    const changed = state !== link.state;
    link.state = state;
    draw();
    if (changed) for (const call of link.listeners) call(state);
  };

  // The round trip is that of the smallest request: a list of one job.
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
    // The stock client does not come back by itself after a disconnect by the server.
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
