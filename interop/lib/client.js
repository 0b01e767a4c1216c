// The stock client and a raw WebSocket, which end with their file. A client that a failed test leaves behind would
// come back for ever, and the file with all of its results would only end at the time limit of the run.
import { after } from "node:test";
import { io as stock } from "socket.io-client";
import Stock from "ws";

const ends = [];
after(() => ends.forEach((end) => end()));

/** As the stock client's io(). */
export function io(...args) {
  const socket = stock(...args);
  ends.push(() => socket.disconnect());
  return socket;
}

/** As the WebSocket of ws. */
export class WebSocket extends Stock {
  constructor(...args) {
    super(...args);
    ends.push(() => this.terminate());
  }
}
