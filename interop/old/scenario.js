// What every generation of the client must be able to do. It runs in Node and in a page: it imports
// nothing, and what differs between the generations is in `generations`.

// What is early has no credentials for a namespace, and runs in a page only: its dependencies for Node cannot be
// had. Over JSONP it cannot close: it calls itself until the stack is full.
export const generations = {
  "1.0": { old: true, early: true },
  "1.3": { old: true, early: true },
  1: { old: true },
  2: { old: true },
  3: { old: false },
  4: { old: false },
};

export const transports = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

export function assert(ok, text) {
  if (!ok) throw new Error(text);
}

export function same(got, want, what) {
  assert(JSON.stringify(got) === JSON.stringify(want), `${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

const bytes = (data) => Array.from(new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength));
// The oldest clients know an ArrayBuffer in a page, and a Buffer in Node.
const binary = (...values) =>
  typeof Buffer === "undefined" ? Uint8Array.from(values).buffer : Buffer.from(values);

export function within(promise, what, ms = 120_000) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`timed out: ${what}`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const event = (socket, name, ms) => within(new Promise((done) => socket.once(name, done)), name, ms);
export const call = (socket, name, ...args) =>
  within(new Promise((done) => socket.emit(name, ...args, (...answer) => done(answer))), `ack of ${name}`);

/** A connection of its own. */
export function dial(io, url, options, { old } = {}, token) {
  const all = { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options };
  if (token === undefined) return io(url, all);
  return old ? io(`${url}?token=${encodeURIComponent(token)}`, all) : io(url, { ...all, auth: { token } });
}

export async function connected(socket) {
  if (!socket.connected) await event(socket, "connect");
  return socket;
}

/**
 * Waits until the client has left polling, where it is to do so. Of two upgrades on offer it takes the one that
 * is answered first: which one that is depends on the machine.
 */
export async function settled(socket, options) {
  if (options.transports.length < 2) return;
  const engine = socket.io.engine;
  const upgrades = options.transports.slice(1);
  const deadline = Date.now() + 180_000;
  while (!upgrades.includes(engine.transport.name)) {
    assert(Date.now() < deadline, "the client was not upgraded");
    await new Promise((done) => setTimeout(done, 10));
  }
}

export async function scenario(io, url, options, generation) {
  const open = [];
  const connect = async (path = "", token) => {
    const socket = dial(io, url + path, options, generation, token);
    open.push(socket);
    return connected(socket);
  };
  try {
    const a = await connect();
    await acks(a);
    await settled(a, options);
    await acks(a);
    const [{ id, transport }] = await call(a, "whoami");
    assert(generation.old || id === a.id, `the server calls ${a.id} ${id}`);
    assert(!generation.old || id === a.io.engine.id, `the server calls ${a.io.engine.id} ${id}`);
    assert(transport === options.transports.at(-1), `the transport is ${transport}`);
    await rooms(a, await connect(), await connect());
    for (const socket of open.splice(1)) socket.disconnect();
    await steps(a);
    await access(connect, (path, token) => {
      const socket = dial(io, url + path, options, generation, token);
      open.push(socket);
      return socket;
    }, generation);
    const left = event(a, "disconnect");
    a.emit("leave");
    same(await left, "io server disconnect", "reason");
  } finally {
    for (const socket of open) socket.disconnect();
  }
  return "done";
}

/** Acknowledgements both ways, with binary and without. */
export async function acks(socket) {
  const words = "zażółć 😀 \u2028 € \\n \n <&>";
  same(await call(socket, "echo", 1, words, { deep: [null, true, words] }), [1, words, { deep: [null, true, words] }], "echo");
  const [mixed] = await call(socket, "echo", { name: words, data: binary(0, 1, 254, 255), more: [binary()] });
  same([mixed.name, bytes(mixed.data), bytes(mixed.more[0])], [words, [0, 1, 254, 255], []], "binary echo");

  socket.once("question", (data, n, answer) => answer(binary(...bytes(data).reverse()), n + 1));
  const [data, n] = await call(socket, "ask", binary(1, 2, 3), 41);
  same([bytes(data), n], [[3, 2, 1], 42], "asked");
}

async function rooms(a, b, c) {
  const heard = [];
  for (const [name, socket] of Object.entries({ a, b, c })) socket.on("heard", ({ text }) => heard.push(`${name} ${text}`));
  await Promise.all([call(a, "join", "room"), call(b, "join", "room")]);
  for (const text of ["one", "two"]) await call(c, "say", { room: "room", text });
  const shown = [a, b, c].map((socket) => event(socket, "shown"));
  await call(a, "show", binary(7, 8, 9)); // behind what was said
  for (const data of await Promise.all(shown)) same(bytes(data), [7, 8, 9], "shown");
  same(heard.sort(), ["a one", "a two", "b one", "b two"], "heard");
}

async function steps(socket) {
  const got = [];
  socket.on("progress", (step) => got.push(step));
  same(await call(socket, "work", 200), [200], "work");
  same(got, Array.from({ length: 200 }, (_, i) => i + 1), "progress");
}

async function access(connect, attempt, { old, early }) {
  const refusal = async (path, token) => {
    const socket = attempt(path, token);
    const error = await event(socket, old ? "error" : "connect_error");
    assert(!socket.connected, "refused, and connected");
    socket.disconnect(); // a page has six connections to a server, and each poll is one
    return old ? error : { message: error.message, data: error.data };
  };
  const data = { retryIn: 5 };
  same(await refusal("/private"), old ? data : { message: "not authorized", data }, "refused");
  same(await refusal("/private", "wrong"), old ? data : { message: "not authorized", data }, "refused with a token");
  same(await refusal("/closed"), old ? "closed for today" : { message: "closed for today" }, "refused without data");
  same(await refusal("/nowhere"), old ? "Invalid namespace" : { message: "Invalid namespace" }, "no namespace");
  if (early) return;

  const socket = await connect("/private", "a secret");
  same((await call(socket, "whoami"))[0].auth, { token: "a secret" }, "credentials");
  const [data2] = await call(socket, "echo", binary(1));
  same(bytes(data2), [1], "binary in a namespace");
}

/** The second half of a restart: the client comes back by itself. */
export async function comesBack(socket) {
  if (!socket.connected) await event(socket, "connect", 120_000);
  same(await call(socket, "echo", "back"), ["back"], "echo after the restart");
}
