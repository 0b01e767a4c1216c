// One transport after the other, each alone on the server. The system counts the processor time of the whole process,
// so that one transport's share is known only while no other is in use.
import { LINES, openLine } from './lines.js';

const REST_MS = 3000; // how long the server is measured with the stream but without clients
const SETTLE_MS = 700; // after opening, before counting
const TURN_MS = 5000;

/** Waits, or throws when the signal says so. */
const wait = (ms, signal) => new Promise((done, fail) => {
  signal.throwIfAborted();
  const timer = setTimeout(done, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); fail(signal.reason); }, { once: true });
});

/**
 * Measures each line with a number of clients. Yields {key, events, cpuPerEvent, bytesPerEvent,
 * requestsPerEvent} per line, times in microseconds, after {rest} with the share of a processor
 * that the server needs for itself and the stream.
 */
export async function* measureAlone(run, { clients, everyMs, base, turnMs = TURN_MS, restMs = REST_MS, signal }) {
  const read = () => run.ask('compare:figures', {});
  const before = await read();
  await wait(restMs, signal);
  const after = await read();
  const rest = (after.cpu - before.cpu) / (after.at - before.at);
  yield { rest };
  for (const { key } of LINES) {
    let events = 0;
    const { last } = await read();
    const closers = Array.from({ length: clients }, () => openLine(key, {
      run: run.id, after: last, base, everyMs: () => everyMs, onEvent: () => events++,
    }));
    try {
      await wait(SETTLE_MS, signal);
      const begin = await read();
      const had = events;
      await wait(turnMs, signal);
      const end = await read();
      const got = events - had;
      const was = begin.lines[key];
      const is = end.lines[key];
      yield {
        key,
        events: got,
        cpuPerEvent: got ? (end.cpu - begin.cpu - rest * (end.at - begin.at)) / got : null,
        bytesPerEvent: got && end.counted ? (is.in + is.out - was.in - was.out) / got : null,
        requestsPerEvent: got ? (is.requests - was.requests) / got : null,
      };
    } finally {
      closers.forEach((close) => close());
    }
    await wait(SETTLE_MS, signal);
  }
}
