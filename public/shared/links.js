// One connection to a system, over one transport. Each kind of link says how it is by onState
// ('connecting', 'live', 'offline'), comes back by itself after a failure, and ends with close().

const RETRY_MS = 300; // the first wait after a failure; it doubles up to the next
const RETRY_MAX_MS = 3000;
const HELD_MS = 500; // a request without an answer for so long is one that the server holds, so the connection is live
const GIVE_UP_MS = 60000; // a request without an answer for so long is lost, and made again
const ANSWER_MS = 10000; // an acknowledgement that takes longer is not waited for

/** What the stock client calls the transports that a page offers. */
export const ENGINE = { __proto__: null, auto: ['polling', 'websocket'], websocket: ['websocket'], polling: ['polling'] };

/** Whether a transport is one of Socket.IO's. */
export const isSocketIO = (transport) => transport in ENGINE;

/**
 * A Socket.IO socket on a namespace. onRefused(error) is called when the namespace does not let it
 * in. It is then tried again only where that returns true: the same request is mostly refused again.
 * ask(event, payload, done) emits, and calls done(late, ack) once: late is an error where no answer came in time.
 */
export function socketLink({ namespace, auth, transport, onState, onRefused }) {
  // eslint-disable-next-line no-undef
  const socket = io(namespace, {
    transports: ENGINE[transport], auth, forceNew: true, reconnectionDelay: RETRY_MS, reconnectionDelayMax: RETRY_MAX_MS,
  });
  let timer = null;
  onState('connecting');
  socket.on('connect', () => onState('live'));
  socket.on('disconnect', (reason) => {
    if (reason === 'io client disconnect') return;
    onState('offline');
    // The stock client does not come back by itself after a disconnect by the server.
    if (reason === 'io server disconnect') timer = setTimeout(() => socket.connect(), RETRY_MAX_MS);
  });
  socket.on('connect_error', (error) => {
    onState('offline');
    if (!socket.active && onRefused?.(error)) timer = setTimeout(() => socket.connect(), RETRY_MAX_MS);
  });
  return {
    socket,
    ask: (event, payload, done) => socket.timeout(ANSWER_MS).emit(event, payload, done),
    close() {
      clearTimeout(timer);
      socket.offAny();
      socket.off();
      socket.disconnect();
    },
  };
}

/**
 * A raw WebSocket. path is one, or a function that returns one each time that it connects. onMessage gets
 * text, or an ArrayBuffer; send returns false where nothing is connected. onRefused is called, once, when
 * the first connection was not made; it is tried again all the same. onClose gets each end of one that was.
 */
export function rawLink({ path, onState, onOpen, onMessage, onRefused, onClose }) {
  let socket = null;
  let timer = null;
  let wait = RETRY_MS;
  let closed = false;
  let tried = false;

  function open() {
    socket = new WebSocket(new URL(typeof path === 'function' ? path() : path, location.href.replace(/^http/, 'ws')));
    socket.binaryType = 'arraybuffer';
    let opened = false;
    socket.onopen = () => {
      opened = true;
      wait = RETRY_MS;
      tried = true;
      onState('live');
      onOpen?.();
    };
    socket.onmessage = (event) => onMessage(event.data);
    socket.onclose = (event) => {
      if (closed) return;
      onState('offline');
      if (opened) onClose?.(event);
      else if (!tried) onRefused?.();
      tried = true;
      timer = setTimeout(open, wait);
      wait = Math.min(2 * wait, RETRY_MAX_MS);
    };
  }
  onState('connecting');
  open();
  return {
    send(data) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(data);
      return true;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      socket.onopen = socket.onmessage = null;
      socket.close();
    },
  };
}

/** Server-Sent Events: `events` has a function for each name, which gets the data as a value. */
export function streamLink({ path, events, onState }) {
  let source = null;
  let timer = null;

  function open() {
    source = new EventSource(path);
    source.onopen = () => onState('live');
    source.onerror = () => {
      onState('offline');
      // The browser comes back by itself after a break, but not after an answer that was no stream.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MAX_MS);
    };
    for (const [name, call] of Object.entries(events)) source.addEventListener(name, (event) => call(JSON.parse(event.data)));
  }
  onState('connecting');
  open();
  return {
    close() {
      clearTimeout(timer);
      source.close();
    },
  };
}

/**
 * Requests in a loop: `ask(signal)` makes one, and throws where it failed. everyMs is the pause after
 * an answer: 0 for long polling, where the server waits instead of the page. A request that the server
 * holds is as live as one that it has answered.
 */
export function pollLink({ ask, everyMs = 0, onState }) {
  const ended = new AbortController();
  const pause = (ms) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    ended.signal.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
  });

  async function loop() {
    let wait = RETRY_MS;
    while (!ended.signal.aborted) {
      const held = setTimeout(() => onState('live'), HELD_MS);
      try {
        await ask(AbortSignal.any([ended.signal, AbortSignal.timeout(GIVE_UP_MS)])).finally(() => clearTimeout(held));
        if (ended.signal.aborted) return;
        onState('live');
        wait = RETRY_MS;
        await pause(everyMs);
      } catch {
        if (ended.signal.aborted) return;
        onState('offline');
        await pause(wait);
        wait = Math.min(2 * wait, RETRY_MAX_MS);
      }
    }
  }
  onState('connecting');
  loop();
  return { close: () => ended.abort() };
}

/**
 * One request whose answer is JSON: null for 304, and an object without fields for an answer that is no JSON. Where the
 * server refused it, the error that is thrown has its problem, or null if the server did not say it in JSON.
 */
export async function request(path, init = {}) {
  const { json, ...rest } = init;
  if (json !== undefined) {
    rest.method ??= 'POST';
    rest.headers = { ...rest.headers, 'Content-Type': 'application/json' };
    rest.body = JSON.stringify(json);
  }
  const response = await fetch(path, { cache: 'no-store', ...rest });
  if (response.status === 304) return null;
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw Object.assign(new Error(answer?.detail ?? answer?.title ?? `The server answered ${response.status}.`), { problem: answer });
  return answer ?? {};
}
