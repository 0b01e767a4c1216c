// A hostile client on a thread of its own, so that what it does to itself is not measured of others: ten
// thousand echoes over Socket.IO, and as many over a raw WebSocket whose answers it does not read.
import { parentPort, workerData } from "node:worker_threads";
import { io } from "socket.io-client";
import WebSocket from "ws";

const hostile = io(workerData.url, { transports: ["websocket"], forceNew: true, reconnection: false });
const wild = new WebSocket(`${workerData.url.replace("http", "ws")}/ws/echo`);
await Promise.all([new Promise((ok) => hostile.on("connect", ok)), new Promise((ok) => wild.on("open", ok))]);
wild.on("error", () => {}); // it is cut off
wild.pause();
parentPort.postMessage("begun");
const back = Promise.all(Array.from({ length: 10_000 }, () => new Promise((ok) => hostile.timeout(120_000).emit("echo", "x", ok))));
for (let i = 0; i < 10_000; i++) wild.send("y".repeat(1000));
await back;
hostile.close();
wild.terminate();
parentPort.postMessage("done");
