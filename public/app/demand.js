// A request that a person makes once, such as a start. While the server is away the page shows that the request waits,
// and the person can withdraw it; it is then not sent later either.
import { h, show } from './dom.js';

const OVERDUE_MS = 1500; // after so long without an answer the page says that it waits

/**
 * Emits now, or when there is a connection, and again after each connection that ended without an answer;
 * the payload must be one that the server does once however often it comes. `onWait(waiting)` tells when
 * the server is waited for. `done(ack)` is called at most once, and not after withdraw(), which returns whether
 * the server may have been asked already.
 */
export function demand(socket, name, payload, { onWait, done }) {
  let sent = false;
  let over = false;
  const wait = setTimeout(() => onWait(true), socket.connected ? OVERDUE_MS : 0);

  function ask() {
    sent = true;
    socket.emit(name, payload, (ack) => {
      if (over) return;
      end();
      done(ack);
    });
  }

  function end() {
    over = true;
    clearTimeout(wait);
    socket.off('connect', ask);
    // The client keeps what it could not send, and would send it with the next connection.
    socket.sendBuffer = socket.sendBuffer.filter(({ data }) => data?.[1] !== payload);
    onWait(false);
  }

  socket.on('connect', ask);
  if (socket.connected) ask();
  return {
    withdraw() {
      if (!over) end();
      return sent;
    },
  };
}

/** The line that says so: "Waiting for the server · stop waiting". */
export function waitLine(onStop) {
  const node = h('p', { class: 'waiting', role: 'status', test: 'waiting', hidden: true }, 'Waiting for the server · ',
    h('button', { type: 'button', class: 'text-button', test: 'stop-waiting', on: { click: onStop } }, 'stop waiting'));
  return { node, show: (is) => show(node, is) };
}
