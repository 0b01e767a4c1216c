// One run: the stream of this page, its controls, and the server's clock and counters. It lives as long
// as its own socket, which is not measured. It knows nothing of the page.

const SLOW_MS = 5000;
const CLOCK_ROUNDS = 8; // at the start; then one with each reading of the figures
const CLOCK_KEPT = 12;

/** Milliseconds since 1970 by this machine's clock, with fractions. */
export const now = () => performance.timeOrigin + performance.now();

/**
 * Opens runs, one after the other where the connection breaks: onRun(run) is called for each, onLost()
 * when there is none any more, and onRefused(sentence) when the server does not want another.
 */
export function openRuns({ base = globalThis.location?.origin, settings, onRun, onLost, onRefused }) {
  // eslint-disable-next-line no-undef
  const socket = io(`${base}/compare`, { transports: ['websocket'], forceNew: true, reconnectionDelay: 300 });
  let run = null;
  let timer = null;

  const ask = (name, payload) => new Promise((done, fail) => {
    socket.timeout(SLOW_MS).emit(name, payload, (late, ack) => {
      if (late || !ack?.ok) fail(Object.assign(new Error(ack?.error?.detail ?? 'The server did not answer in time.'), { ack }));
      else done(ack);
    });
  });

  async function start() {
    try {
      const opened = await ask('compare:open', settings());
      run = { id: opened.run, ask, ...clock(ask) };
      await run.syncClock(CLOCK_ROUNDS);
      onRun(run);
    } catch (error) {
      if (!socket.connected) return; // it comes back, and this is called again
      onRefused(error.message);
      timer = setTimeout(start, SLOW_MS);
    }
  }
  socket.on('connect', start);
  socket.on('disconnect', (reason) => {
    run = null;
    clearTimeout(timer);
    onLost();
    if (reason === 'io server disconnect') timer = setTimeout(() => socket.connect(), 1000);
  });
  return {
    /** Changes the settings of the run that there is. */
    async set(next) { if (run) await ask('compare:set', next); },
    pause() { socket.disconnect(); },
    resume() { socket.connect(); },
  };
}

/**
 * How far the server's clock is ahead of this one. A question and its answer take a while, and the server
 * read its clock somewhere in between: in the middle, give or take half of the round trip. The shortest
 * of the last round trips is the best one.
 */
function clock(ask) {
  const rounds = [];
  const best = () => rounds.reduce((a, b) => (b.rtt < a.rtt ? b : a));
  return {
    async syncClock(times = 1) {
      for (let i = 0; i < times; i++) {
        const sent = now();
        const { at } = await ask('compare:clock', {});
        const came = now();
        rounds.push({ rtt: came - sent, ahead: at / 1000 - (sent + came) / 2 });
      }
      rounds.splice(0, rounds.length - CLOCK_KEPT);
    },
    /** Milliseconds from an event's making until now. */
    since: (at) => now() + best().ahead - at / 1000,
    /** How wrong `since` may be, in milliseconds. */
    clockError: () => best().rtt / 2,
  };
}
