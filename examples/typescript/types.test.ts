// What the declarations must refuse. It is compiled and never run: each @ts-expect-error fails the build
// if the line below it is taken.
import type { Socket } from "socket.io-client";
import type {
  Job,
  JobEvent,
  JobsClientToServer,
  JobsServerToClient,
  Refusal,
  StartAck,
  TestnamespaceClientToServer,
  TestnamespaceServerToClient,
} from "../../public/events.d.ts";

declare const jobs: Socket<JobsServerToClient, JobsClientToServer>;
declare const task: Socket<TestnamespaceServerToClient, TestnamespaceClientToServer>;

export async function refused() {
  // @ts-expect-error no such event
  jobs.emit("job:strat", { kind: "checksum" }, () => {});
  // @ts-expect-error the event of another namespace
  jobs.emit("request_for_response", { param: "a" });
  // @ts-expect-error only the server says this
  jobs.emit("job:queued", { id: "a" });
  // @ts-expect-error the server never says this
  jobs.on("job:start", () => {});
  // @ts-expect-error kind is missing
  jobs.emit("job:start", { args: {} }, () => {});
  // @ts-expect-error no such field
  jobs.emit("job:get", { id: "a", ID: "a" }, () => {});
  // @ts-expect-error a field of the wrong type
  jobs.emit("job:get", { id: 1 }, () => {});
  // @ts-expect-error not one of the values
  jobs.emit("job:subscribe", { id: "a", replay: "some" }, () => {});
  // @ts-expect-error nobody hears the refusal
  jobs.emit("job:get", { id: "a" });
  // @ts-expect-error an argument too many
  jobs.emit("jobs:unwatch", {}, () => {});
  jobs.emit("job:get", { id: "a" }, (ack) => {
    // @ts-expect-error the request may have been refused
    return ack.job;
  });
  jobs.on("job:progress", (event) => {
    // @ts-expect-error data is unknown
    return event.data.percent;
  });
  jobs.on("job:log", (chunk) => {
    // @ts-expect-error this is no line of the job's log
    const event: JobEvent = chunk;
    return event;
  });
  // @ts-expect-error the payload is missing
  task.emit("request_for_response");
}

/** What they must take, with exactly these types. */
export async function taken() {
  jobs.emit("job:start", { kind: "checksum", args: { path: "." }, tags: ["a"] }, (ack) => {
    same<typeof ack, StartAck | Refusal>(true);
    if (ack.ok) same<typeof ack.job, Job>(true);
    else same<typeof ack.error.status, number>(true);
  });
  same<Awaited<ReturnType<typeof start>>, StartAck | Refusal>(true);
  jobs.emit("job:subscribe", { id: "a", after: 3, replay: "all", logs: true }, () => {});
  jobs.emit("job:subscribe", { id: "a", logs: { tail: 5 } }, () => {});
  jobs.timeout(1000).emit("jobs:unwatch", (error, ack) => {
    same<typeof error, Error>(true);
    return ack.ok;
  });
  jobs.on("jobs:changed", ({ jobs, removed, counts }) => {
    same<typeof jobs, Job[]>(true);
    same<typeof removed, string[] | undefined>(true);
    same<typeof counts.running, number | undefined>(true);
  });
  task.emit("request_for_response", { param: "a" });
  task.on("response", ({ code }) => same<typeof code, string>(true));
}

const start = () => jobs.emitWithAck("job:start", { kind: "checksum" });

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>) {}
