// Text outside ASCII, to and from the old clients. What the server or another client starts must arrive, and
// what a client says must arrive at the server: one that only hears itself again shows neither, because two
// errors of coding undo each other. It runs in Node and in a page.
import { call, connected, dial, event, same, settled } from "./scenario.js";

const data = (bytes) => Array.from(new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength));

// What a session must show nothing of before it: no message decides between 1.x and 2.x for it.
const undecided = {
  1: ["ü", "é", "°C", "ACME®", "Müller", "da è", "да", "με", "小米", "नमस्ते", "€ 5", "😀"],
  2: ["é", "NESTLÉ®", "CAFÉ\u00a0!", "SANTÉ\u00a0: 5", "Ñ°5", "STRAß°", "café\u00a0»", "小米", "नमस्ते", "€ 5", "😀"],
};

// Once a session has sent `proof`, these arrive too.
const decided = {
  1: { proof: "€", texts: ["CAFé®", "ɠ", "ɮ", "Ѱ"] },
  2: { proof: "é", texts: ["Â°C", "Ã¼", "Ã©tÃ©", "\u00c2\u0085"] },
};
// What is early says so as it connects.
undecided["1.0"] = undecided["1.3"] = [];
decided["1.0"] = decided["1.3"] = { proof: "ü", texts: ["AMANHà", ...undecided[1], ...decided[1].texts] };

function leave(socket, { early }) {
  try {
    socket.disconnect();
  } catch (error) {
    if (!early || !(error instanceof RangeError)) throw error;
  }
}

/** The server starts: as soon as there is a connection, on demand, as an answer, beside bytes, and as a question. */
export async function fromServer(io, url, options, generation, words) {
  const socket = await greeted(io, url, options, generation, words);
  try {
    for (const upgraded of [false, true]) {
      if (upgraded) await settled(socket, options);
      const got = [];
      socket.on("word é", ({ text }) => got.push(text));
      const beside = new Promise((done) => socket.once("beside", (all, bytes) => done([all, data(bytes)])));
      same(await call(socket, "start"), [words], "the answer");
      same(await beside, [words, [0xc3, 0xa9, 0]], "beside bytes");
      same(got, words, "one by one");
      socket.off("word é");
      socket.once("question", (all, answer) => answer(JSON.stringify(all) === JSON.stringify(words), "è"));
      same(await call(socket, "hear"), [true, "è"], "asked");
    }
  } finally {
    leave(socket, generation);
  }
  return "done";
}

/** Connects until what the server says at once has come before the upgrade, if there is one. */
async function greeted(io, url, options, generation, words) {
  for (let attempt = 0; attempt < 30; attempt++) {
    const socket = dial(io, url, { ...options, query: { greet: "1" } }, generation);
    let transport;
    socket.once("greeting", () => (transport = socket.io.engine.transport.name));
    same(await event(socket, "greeting"), words, "the greeting");
    await connected(socket);
    if (transport === options.transports[0]) return socket;
    leave(socket, generation);
  }
  throw new Error("the greeting never came before the upgrade");
}

/** Another client starts, when it hears that this one listens, and the words that came are the result. */
export async function fromOther(io, url, options, generation, ready) {
  const socket = await connected(dial(io, url, options, generation));
  try {
    const relayed = event(socket, "relayed");
    await ready();
    return await relayed;
  } finally {
    leave(socket, generation);
  }
}

/** The client starts, each time in a session that has shown nothing, and then in one that has. */
export async function toServer(io, url, options, generation, number) {
  const spelled = async (socket, text) =>
    same(await call(socket, "spell", text), [Array.from(text, (c) => c.codePointAt(0))], JSON.stringify(text));
  for (const text of undecided[number]) {
    const socket = await connected(dial(io, url, options, generation));
    await spelled(socket, text);
    leave(socket, generation);
  }
  const { proof, texts } = decided[number];
  const socket = await connected(dial(io, url, options, generation));
  for (const text of [proof, ...texts]) await spelled(socket, text);
  leave(socket, generation);
  return "done";
}
