// Starts a job and watches it to its end, over lost connections and restarts of the server:
//
//     npm start -- http://127.0.0.1:8080 checksum '{"path": "."}'
import { io, type Socket } from "socket.io-client";
import type {
  Job,
  JobEvent,
  JobProgress,
  JobsClientToServer,
  JobsServerToClient,
  JobStartRequest,
  Refusal,
  SubscribeAck,
} from "../../public/events.d.ts";

export type JobsSocket = Socket<JobsServerToClient, JobsClientToServer>;

const lines = [
  "job:queued", "job:started", "job:progress", "job:step",
  "job:cancelling", "job:completed", "job:failed", "job:cancelled",
] as const;

/** Starts a job, hands over each line of its log once and in order, and returns its last state. */
export function run(socket: JobsSocket, request: JobStartRequest, each: (event: JobEvent) => void): Promise<Job> {
  // With a key, asking again after a lost answer finds the same job.
  const asked: JobStartRequest = { ...request, idempotencyKey: crypto.randomUUID() };
  let id: string | undefined;
  let last = 0; // the number of the newest line that was handed over

  return new Promise((done, failed) => {
    const begin = () => {
      if (id !== undefined) return subscribe(id);
      socket.emit("job:start", asked, (ack) => {
        if (!ack.ok) return failed(refused(ack));
        id = ack.job.id;
        if (ack.sub) missed(id, ack.sub);
      });
    };
    const subscribe = (job: string) => {
      socket.emit("job:subscribe", { id: job, after: last, replay: "all" }, (ack) => {
        if (ack.ok) missed(job, ack);
        else failed(refused(ack));
      });
    };
    const missed = (job: string, ack: SubscribeAck) => {
      // Where the server cannot go on from our number, what it still has is the new beginning.
      if (!ack.recovered) last = (ack.events[0]?.seq ?? ack.lastSeq + 1) - 1;
      for (const event of ack.events) take(event);
      if (ack.hasMore) subscribe(job);
      else if (ack.done) done(ack.job);
    };
    const take = (event: JobEvent) => {
      if (event.jobId !== id || event.seq <= last) return;
      if (event.prev > last) return subscribe(id);
      last = event.seq;
      each(event);
    };
    const end = (event: JobEvent) => {
      take(event);
      if (event.jobId !== id || event.seq !== last) return;
      socket.emit("job:get", { id }, (ack) => {
        if (ack.ok) done(ack.job);
        else failed(refused(ack));
      });
    };

    for (const name of lines) {
      socket.on(name, name === "job:completed" || name === "job:failed" || name === "job:cancelled" ? end : take);
    }
    socket.on("connect", begin);
    if (socket.connected) begin();
  });
}

const refused = ({ error }: Refusal) => new Error(error.detail ?? error.title);

declare const process: { argv: string[]; exitCode: number };

const [, , url = "http://127.0.0.1:8080", kind = "checksum", args = "{}"] = process.argv;
const socket: JobsSocket = io(`${url}/jobs`);
socket.on("connect_error", (error) => console.error(error.message));
try {
  const job = await run(socket, { kind, args: JSON.parse(args) }, (event) => {
    // What data holds depends on the type of the event.
    if (event.type === "job.progress") console.log(event.seq, event.type, `${(event.data as JobProgress).percent ?? "?"} %`);
    else console.log(event.seq, event.type);
  });
  console.log(job.state, JSON.stringify(job.result ?? job.error));
  process.exitCode = job.state === "completed" ? 0 : 1;
} finally {
  socket.close();
}
