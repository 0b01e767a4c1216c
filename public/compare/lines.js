// The six ways from the server to here, each as little as it takes. A line holds the last number that it
// has, asks for what comes after it, and comes back by itself when its connection breaks. The module uses
// what browsers have and `io`; it knows nothing of the page.

const RETRY_MS = 500;

/** The transports, in the order of the tutorials; `key` is what the server counts them by. */
export const LINES = Object.freeze([
  { key: 'short', label: 'Short polling', about: 'asks again and again' },
  { key: 'long', label: 'Long polling', about: 'the answer waits for an event' },
  { key: 'sse', label: 'Server-Sent Events', about: 'one answer that never ends' },
  { key: 'sio-polling', label: 'Socket.IO over polling', about: 'both ways, by waiting requests' },
  { key: 'sio-websocket', label: 'Socket.IO over WebSocket', about: 'both ways, by frames' },
  { key: 'websocket', label: 'Raw WebSocket', about: 'frames and nothing else' },
]);

/**
 * Opens one line and returns what closes it.
 * @param {string} key one of LINES
 * @param {object} options
 * @param {string} options.run the run's id
 * @param {number} [options.after] the number to go on from
 * @param {string} [options.base] the server's origin
 * @param {() => number} [options.everyMs] how long short polling pauses
 * @param {(event: {n: number, at: number, pad: string}) => void} options.onEvent
 * @param {(live: boolean) => void} [options.onLive]
 */
export function openLine(key, options) {
  const line = { onLive() {}, everyMs: () => 1000, ...options, key, base: options.base ?? location.origin, last: options.after ?? 0 };
  line.take = (event) => {
    line.last = event.n;
    line.onEvent(event);
  };
  line.query = (more = {}) => new URLSearchParams({ run: line.run, line: key, after: line.last, ...more });
  const close = OPENERS[key](line);
  return () => {
    line.onEvent = line.onLive = () => {};
    close();
  };
}

const OPENERS = {
  short: (line) => poll(line, {}, () => line.everyMs()),
  long: (line) => poll(line, { wait: '25s' }, () => 0),
  sse: stream,
  'sio-polling': (line) => socketIO(line, 'polling'),
  'sio-websocket': (line) => socketIO(line, 'websocket'),
  websocket: raw,
};

function poll(line, more, pauseMs) {
  const ended = new AbortController();
  const pause = (ms) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    ended.signal.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
  });
  (async () => {
    while (!ended.signal.aborted) {
      try {
        const response = await fetch(`${line.base}/api/compare?${line.query(more)}`, { signal: ended.signal, cache: 'no-store' });
        if (response.status === 404) break; // the run has ended
        if (!response.ok) throw new Error(`status ${response.status}`);
        const page = await response.json();
        if (ended.signal.aborted) return;
        line.onLive(true);
        page.events.forEach(line.take);
        if (!page.more && pauseMs() > 0) await pause(pauseMs());
      } catch {
        if (ended.signal.aborted) return;
        line.onLive(false);
        await pause(RETRY_MS);
      }
    }
  })();
  return () => ended.abort();
}

function stream(line) {
  let source = null;
  let timer = null;
  const open = () => {
    source = new EventSource(`${line.base}/api/compare?${line.query()}`);
    source.onopen = () => line.onLive(true);
    source.onmessage = (message) => line.take(JSON.parse(message.data));
    source.onerror = () => {
      line.onLive(false);
      // A browser comes back by itself after a break, but not after an answer that was no stream.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

function socketIO(line, transport) {
  let timer = null;
  // eslint-disable-next-line no-undef
  const socket = io(`${line.base}/compare`, {
    transports: [transport],
    forceNew: true, // or all of a page's sockets would share one connection
    reconnectionDelay: RETRY_MS,
    query: { run: line.run, line: line.key },
    auth: (give) => give({ run: line.run, after: line.last }),
  });
  socket.on('connect', () => line.onLive(true));
  socket.on('compare:event', line.take);
  socket.on('disconnect', (reason) => {
    line.onLive(false);
    if (reason === 'io server disconnect') timer = setTimeout(() => socket.connect(), RETRY_MS);
  });
  return () => {
    clearTimeout(timer);
    socket.off();
    socket.disconnect();
  };
}

function raw(line) {
  let socket = null;
  let timer = null;
  let closed = false;
  const open = () => {
    socket = new WebSocket(`${line.base.replace(/^http/, 'ws')}/ws/compare?${line.query()}`);
    socket.onopen = () => line.onLive(true);
    socket.onmessage = (message) => line.take(JSON.parse(message.data));
    socket.onclose = () => {
      if (closed) return;
      line.onLive(false);
      timer = setTimeout(open, RETRY_MS);
    };
  };
  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    socket.onmessage = null;
    socket.close();
  };
}
