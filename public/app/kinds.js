// The kinds of job that the server has, as it describes them.
import { ask } from './connection.js';

const RETRY_MS = 3000;
const ICONS = { checksum: 'hash', 'csv.profile': 'table', task: 'clock' };

const kinds = new Map(); // name -> {name, title, sentence, args}, in the server's order
const listeners = new Set();

/** Asks the server for its kinds, on each connection. */
export function learnKinds(socket) {
  const learn = () => ask(socket, 'jobs:kinds', {}, (ack) => {
    if (!ack.ok) return setTimeout(() => { if (socket.connected) learn(); }, RETRY_MS);
    kinds.clear();
    for (const kind of ack.kinds) kinds.set(kind.name, kind);
    for (const call of listeners) call();
  });
  socket.on('connect', learn);
}

/** Calls `call` whenever the kinds are known anew; returns what ends that. */
export function onKinds(call) {
  listeners.add(call);
  return () => listeners.delete(call);
}

export const allKinds = () => [...kinds.values()];
export const kindTitle = (name) => kinds.get(name)?.title ?? name;
export const kindIcon = (name) => ICONS[name] ?? 'job';

/** What a job is called: by what it works on, or by its kind where nothing says that. */
export const titleOf = (job) => job.title || kindTitle(job.kind);
