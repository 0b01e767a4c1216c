// Three ways to watch a job that come back by themselves: a socket with the page's jobs.js, an event stream, a long poll.
// They end with their file, whatever has failed.
import { after } from "node:test";
import { watchJob } from "../../public/jobs.js";
import { sleep, TERMINAL } from "./server.js";

const over = new AbortController();
after(() => over.abort());

const ended = (type) => TERMINAL.includes(type.replace("job.", ""));
const briefly = () => sleep(50 + Math.random() * 150);

/** The lines that a watcher got of a log, in the order in which it got them. */
const line = (event) => `${event.seq} ${event.type} ${event.attempt}`;

export const lines = (log) => log.map(line);

/** Watches with a stock socket that reconnects by itself. */
export function bySocket(socket, id) {
  const got = [];
  const done = new Promise((resolve, reject) => {
    watchJob(socket, id, {
      onEvent: (event) => got.push(line(event)),
      onDone: resolve,
      onError: (problem) => problem.retryable || reject(new Error(`watch ${id}: ${JSON.stringify(problem)}`)),
    });
  });
  return { how: "socket", id, got, done };
}

/** Watches by long polls, one after the other. */
export function byPoll(server, id) {
  const got = [];
  const watch = async () => {
    for (let after = 0; !over.signal.aborted; ) {
      try {
        const { status, body } = await server.api(`/api/jobs/${id}/events?after=${after}&wait=20s&limit=100`, { signal: over.signal });
        if (status !== 200) throw new Error(`${status}`);
        if (!body.recovered) throw new Error(`watch ${id}: not recovered after ${after}`, { cause: "fatal" });
        got.push(...body.events.map(line));
        after = body.lastSeq;
        if (body.done) return;
      } catch (error) {
        if (error.cause === "fatal") throw error;
        await briefly(); // the server is gone, or comes
      }
    }
  };
  return { how: "poll", id, got, done: watch() };
}

/** Watches an event stream, as a browser's EventSource does. */
export function byStream(server, id) {
  const got = [];
  let last = 0;
  const once = async () => {
    const response = await fetch(`${server.url}/api/jobs/${id}/events`, {
      signal: over.signal,
      headers: { accept: "text/event-stream", ...(last > 0 ? { "last-event-id": String(last) } : {}) },
    });
    if (response.status === 204) return true;
    if (response.status !== 200) throw new Error(`${response.status}`);
    let text = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const field = (name) => block.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1];
        if (field("event") === "end") return true;
        if (field("event") === "reset") throw new Error(`watch ${id}: reset after ${last}`, { cause: "fatal" });
        if (field("id") === undefined) continue;
        const event = JSON.parse(field("data"));
        got.push(line(event));
        last = event.seq;
        if (ended(event.type)) return true;
      }
    }
    return false;
  };
  const watch = async () => {
    while (!over.signal.aborted) {
      try {
        if (await once()) return;
      } catch (error) {
        if (error.cause === "fatal") throw error;
      }
      await briefly();
    }
  };
  return { how: "stream", id, got, done: watch() };
}
