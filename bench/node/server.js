// Node's socket.io behind the events that the load generator expects (see ../sioload/README.md).
import { createServer } from "node:http";
import { Server } from "socket.io";

const [host, port] = (process.argv[2] ?? "127.0.0.1:3000").split(":");
const http = createServer();
const io = new Server(http, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("echo", (value, ack) => ack(value));
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack(true);
  });
  socket.on("broadcast", ({ data, id, n, room }) => {
    let i = 0;
    const some = () => {
      for (let end = Math.min(n, i + 100); i < end; i++) io.to(room).emit("tick", { data, i, id });
      if (i < n) setImmediate(some);
    };
    some();
  });
  socket.on("start", ({ job, n, rate }) => {
    const room = `job:${job}`;
    socket.join(room);
    const begin = performance.now();
    let i = 0;
    const step = () => {
      for (; i < n && performance.now() >= begin + (i / rate) * 1000; i++) {
        const t = Math.round((performance.timeOrigin + performance.now()) * 1000);
        io.to(room).emit("progress", { i, job, msg: "processing the next item of the batch", n, t });
      }
      if (i < n) setTimeout(step, begin + (i / rate) * 1000 - performance.now());
      else io.to(room).emit("done", { job, n });
    };
    step();
  });
});

http.listen(Number(port), host);
