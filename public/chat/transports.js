// The chat over each transport. All of them bring a message to the same functions of `on`:
//
//   message({id, room, from, text, at})    said in a room; without id where the transport has none
//   private({id, from, to, text, at})      said to one person; it may come again after a break
//   people(room, names), joined(room, name), left(room, name), typing(room, name)
//   welcome({nickname})                    the nickname as it was accepted
//   notice(words)                          what the server has to say about something sent
//   refused(error)                         the nickname was not accepted
//   doubt(words)                           it is not known whether the nickname was accepted
//
// and return say(room, text, done), close(), and what else they can do. done(words) is called with what went
// wrong, or without words.
import { hex } from '/app/format.js';
import { pollLink, rawLink, request, socketLink } from '/shared/links.js';
import { sentence } from '/shared/page.js';

const POLL_MS = 1000;
const TOKEN = 'jobcast.chat.token';

/** The room of those who have no name. It is one and the same under all transports. */
export const ANONYMOUS = '';
/** Where those with a name begin. */
export const LOBBY = 'lobby';

const UNSURE = 'The server did not answer, so it is not sure that this was sent.';

/**
 * Proves to the server that this browser is the same person as before: while messages wait for a nickname, only who has
 * its token gets it. Where the browser stores nothing, each tab and each reload has a token of its own.
 */
const token = (() => {
  const fresh = name();
  try {
    const kept = localStorage.getItem(TOKEN) ?? fresh;
    localStorage.setItem(TOKEN, kept);
    return kept;
  } catch {
    return fresh;
  }
})();

/** 128 random bits. */
function name() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Socket.IO, over either transport: all that the chat can do. */
export function overSocketIO(transport, nickname, on, onState) {
  const link = socketLink({
    namespace: '/chat', transport, onState, auth: nickname ? { nickname, token } : {}, onRefused: on.refused,
  });
  const { socket } = link;
  const message = (one) => ({ id: one.id, room: one.room, from: one.from_user, to: one.to_user, text: one.chat, at: one.at });
  socket.on('chat:welcome', on.welcome);
  socket.on('chat:history', ({ messages }) => messages.forEach((one) => on.message(message(one))));
  socket.on('chat:message', (one) => on.message(message(one)));
  socket.on('chat:private', (one, ack) => {
    on.private(message(one));
    ack(); // the server need not keep it any more
  });
  socket.on('chat:people', ({ room, people }) => on.people(room, people));
  socket.on('chat:joined', ({ room, user }) => on.joined(room, user));
  socket.on('chat:left', ({ room, user }) => on.left(room, user));
  socket.on('chat:typing', ({ room, from_user: user }) => on.typing(room, user));
  const ask = (event, payload, done) => link.ask(event, payload, (late, ack) => done(late ? UNSURE : ack.ok ? '' : sentence(ack.error), ack));
  return {
    ...link,
    say: (room, text, done) => ask('chat:message', { room, chat: text }, done),
    private: (to, text, done) => ask('chat:private', { to_user: to, chat: text }, done),
    join: (room, done) => ask('chat:join', { room }, done),
    leave: (room, done) => ask('chat:leave', { room }, done),
    typing: (room) => socket.volatile.emit('chat:typing', { room }),
  };
}

/**
 * A raw WebSocket for a room, and one more for private words. It tells the server the last
 * index that it has each time that it connects, so that after a break each message comes, and comes once.
 */
export function raw(nickname, on, onState) {
  const room = nickname ? LOBBY : ANONYMOUS;
  const owner = nickname ? `/${encodeURIComponent(nickname)}?token=${token}&` : '?';
  const connect = (path, call, more) => {
    let at = 0;
    return rawLink({
      path: () => `${path}${owner}index=${at}`,
      onMessage(data) {
        const { id, from_user: from, to_user: to, chat: text, error } = JSON.parse(data);
        if (error) return on.notice(text);
        at = id;
        call({ id, from, to, text });
      },
      ...more,
    });
  };
  const group = connect('/ws/chat', (message) => on.message({ ...message, room }), {
    onState,
    // A browser does not tell why a WebSocket was refused.
    onRefused: () => nickname && on.doubt('The server does not answer, or does not let this nickname in: it may be taken.'),
  });
  const one = nickname && connect('/ws/private', on.private, { onState() {} });
  const send = (link, data) => (link.send(data) ? '' : 'Not connected: this was not sent.');
  return {
    close() {
      group.close();
      if (one) one.close();
    },
    say: (to, text, done) => done(send(group, text)),
    private: one && ((to, text, done) => {
      const wrong = send(one, JSON.stringify({ to_user: to, chat: text }));
      if (!wrong) on.private({ from: nickname, to, text }); // the server sends it to the other person only
      done(wrong);
    }),
  };
}

// ---- by HTTP alone, as pages did before there were sockets; for those without a name

const send = (path, init, done) => request(path, init).then(() => done(''), (error) => done(error.problem ? sentence(error.problem) : UNSURE));

/** Long polling with a queue for each reader, who is known by a name that it makes up. */
export function queue(on, onState) {
  const reader = name();
  const link = pollLink({
    onState,
    async ask(signal) {
      const { status, msg } = await request(`/get_msg/?name=${reader}`, { signal });
      if (status) on.message({ room: ANONYMOUS, text: msg });
    },
  });
  return { ...link, say: (room, text, done) => send('/send_msg/', { method: 'POST', body: new URLSearchParams({ content: text }) }, done) };
}

/** Short polling: the page says how far it has read, and asks once a second for more. */
export function index(on, onState) {
  let at = 0;
  const link = pollLink({
    onState,
    everyMs: POLL_MS,
    async ask(signal) {
      const answer = await request(`/get/msg?index=${at}`, { signal });
      at = answer.index;
      for (const text of answer.data) on.message({ room: ANONYMOUS, text });
    },
  });
  return { ...link, say: (room, text, done) => send(`/send/msg?${new URLSearchParams({ text })}`, {}, done) };
}

/** Long polling where the server remembers how far this reader has read. */
export function reader(on, onState) {
  const uid = name();
  const link = pollLink({
    onState,
    async ask(signal) {
      const { status, data } = await request(`/get/message?uid=${uid}`, { signal });
      if (status) on.message({ room: ANONYMOUS, text: data });
    },
  });
  return { ...link, say: (room, text, done) => send(`/send/message?${new URLSearchParams({ text })}`, {}, done) };
}
