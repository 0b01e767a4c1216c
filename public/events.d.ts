// Made by: go generate ./events. The events of each namespace, for the types of socket.io-client:
//
//     const socket: Socket<JobsServerToClient, JobsClientToServer> = io("/jobs");
//     const socket: Socket<TestnamespaceServerToClient, TestnamespaceClientToServer> = io("/testnamespace");

/**
 * `/jobs` starts long jobs and shows them live. A job goes on without its page, and a page that
 * comes back goes on after the last event that it holds.
 *
 * What the server says.
 */
export interface JobsServerToClient {
  /** the job waits for a worker, at first or again */
  "job:queued": (payload: JobEvent) => void;
  /** an attempt has begun */
  "job:started": (payload: JobEvent) => void;
  /** data is the new progress */
  "job:progress": (payload: JobEvent) => void;
  /** the job has gone on to its next part */
  "job:step": (payload: JobEvent) => void;
  /** the worker was told to stop */
  "job:cancelling": (payload: JobEvent) => void;
  /** the last event of a job that is done */
  "job:completed": (payload: JobEvent) => void;
  /** the last event of a job that cannot be done */
  "job:failed": (payload: JobEvent) => void;
  /** the last event of a job that was stopped */
  "job:cancelled": (payload: JobEvent) => void;
  /** lines of text, to those who asked for logs */
  "job:log": (payload: JobLogChunk) => void;
  /** to those who watch the list */
  "jobs:changed": (payload: JobChanges) => void;
}

/**
 * `/jobs` starts long jobs and shows them live. A job goes on without its page, and a page that
 * comes back goes on after the last event that it holds.
 *
 * What a client says.
 */
export interface JobsClientToServer {
  /** `job:start` makes a job, or finds the one that already has the id or the idempotency key. */
  "job:start": (payload: JobStartRequest, ack: (answer: StartAck | Refusal) => void) => void;
  /** `job:subscribe` is answered with what the page has missed; what follows comes as events. */
  "job:subscribe": (payload: SubscribeRequest, ack: (answer: SubscribeAck | Refusal) => void) => void;
  /** `job:unsubscribe` ends what `job:subscribe` began. It is no error if nothing did. */
  "job:unsubscribe": (payload: JobRef, ack: (answer: OK | Refusal) => void) => void;
  /** `job:get` reads the newest snapshot of a job. */
  "job:get": (payload: JobRef, ack: (answer: JobAck | Refusal) => void) => void;
  /** `job:history` reads a part of a job's log, from any point. */
  "job:history": (payload: HistoryRequest, ack: (answer: HistoryAck | Refusal) => void) => void;
  /** `job:logs` reads a part of the text that a job wrote. */
  "job:logs": (payload: LogsRequest, ack: (answer: LogsAck | Refusal) => void) => void;
  /** `job:cancel` asks a job to stop. */
  "job:cancel": (payload: JobCancelRequest, ack: (answer: CancelAck | Refusal) => void) => void;
  /** `jobs:list` reads a page of the list of jobs. */
  "jobs:list": (payload: JobListQuery, ack: (answer: ListAck | Refusal) => void) => void;
  /** `jobs:watch` is `jobs:list`, and from then on `jobs:changed` says what changes, at most twice a second. */
  "jobs:watch": (payload: JobListQuery, ack: (answer: ListAck | Refusal) => void) => void;
  /** `jobs:unwatch` ends what `jobs:watch` began. */
  "jobs:unwatch": (ack: (answer: OK | Refusal) => void) => void;
}

/**
 * `/testnamespace` is the tutorial's background task, which says at once that it has started, and five
 * seconds later that it is done.
 *
 * What the server says.
 */
export interface TestnamespaceServerToClient {
  /** answers twice: when the task starts, and when it ends */
  response: (payload: TaskResponse) => void;
}

/**
 * `/testnamespace` is the tutorial's background task, which says at once that it has started, and five
 * seconds later that it is done.
 *
 * What a client says.
 */
export interface TestnamespaceClientToServer {
  /** starts a task */
  request_for_response: (payload: TaskRequest) => void;
}

/**
 * JobStartRequest asks for a new job. Its fields and limits are those of the contract's StartRequest; a
 * field that this server does not serve is refused by name, never ignored.
 */
export interface JobStartRequest {
  kind: string;
  args?: unknown;
  id?: JobID;
  idempotencyKey?: string;
  maxAttempts?: number;
  tags?: string[];
  /** Socket.IO only; default true */
  subscribe?: boolean;
  /** Socket.IO only */
  logs?: boolean;
}

/** JobID names one job: 1 to 64 of 0-9 A-Z a-z _ -. It is a ULID unless the client chose it. */
export type JobID = string;

/**
 * StartAck is the job that was made or found, and the subscription to it unless the request declined
 * one.
 */
export interface StartAck {
  ok: true;
  job: Job;
  /** false: the id or the idempotency key was known */
  created: boolean;
  sub?: SubscribeAck;
}

/** Job is the snapshot of a job after its event number `seq`. */
export interface Job {
  id: JobID;
  kind: string;
  queue: string;
  priority?: string;
  state: JobState;
  seq: number;
  attempt: number;
  maxAttempts: number;
  tags?: string[];
  /** only where one job is asked for */
  args?: unknown;
  progress?: JobProgress;
  result?: unknown;
  error?: JobError;
  artifacts?: JobArtifact[];
  cancelRequested?: boolean;
  worker?: string;
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  log?: JobLogInfo;
}

/** JobState is where a job is in its life. */
export type JobState =
  | "scheduled"
  | "queued"
  | "running"
  | "completed"
  | "failed"
  | "cancelled";

/**
 * JobProgress is how far a job is. `percent`, `rate` and ETA are computed by the engine; `percent` is below 100
 * until the job has completed.
 */
export interface JobProgress {
  done: number;
  /** missing: nobody knows */
  total?: number;
  unit?: string;
  percent?: number;
  message?: string;
  step?: JobStep;
  /** units per second over the last 30 s */
  rate?: number;
  /** counted from the event's time */
  etaMs?: number;
}

/** JobStep is one of the parts that a job does in order. */
export interface JobStep {
  /** from 1 */
  index: number;
  count: number;
  /** at most 120 bytes */
  name: string;
}

/** JobError is why a job, or one attempt of it, failed. */
export interface JobError {
  type: string;
  message: string;
  /** at most 16 KiB */
  stack?: string;
  code?: string;
  retryable: boolean;
  attempt?: number;
}

/** JobArtifact is a file that a job made. */
export interface JobArtifact {
  name: string;
  href: string;
  type?: string;
  size: number;
}

/** JobLogInfo says how much text a job has logged. */
export interface JobLogInfo {
  lines: number;
  bytes: number;
  /** the oldest line still stored */
  firstLine?: number;
}

/**
 * SubscribeAck holds what the page has missed. What follows it on the wire starts at `lastSeq`+1, unless
 * `hasMore`: then nothing follows, and the page subscribes again with after = `lastSeq`.
 */
export interface SubscribeAck {
  ok: true;
  job: Job;
  events: JobEvent[];
  /** the oldest event still stored */
  firstSeq?: number;
  lastSeq: number;
  /** the events go on exactly after what the page holds; false: take `job` as the new state */
  recovered: boolean;
  hasMore: boolean;
  /** the job has had its last event */
  done: boolean;
  log?: JobLogChunk;
}

/**
 * JobEvent is one line of a job's log, as watchers see it. `seq` is contiguous for one job from 1, across
 * attempts and restarts; `prev` is the `seq` that the receiver must already hold. The last event of a job
 * is its only terminal one.
 */
export interface JobEvent {
  type: JobEventType;
  jobId: JobID;
  seq: number;
  prev: number;
  time: string;
  attempt: number;
  state?: JobState;
  data?: unknown;
}

/** JobEventType is what an event says, such as "job.progress". Over Socket.IO its dot is a colon. */
export type JobEventType =
  | "job.queued"
  | "job.started"
  | "job.progress"
  | "job.step"
  | "job.cancelling"
  | "job.completed"
  | "job.failed"
  | "job.cancelled";

/**
 * JobLogChunk is a run of log lines; `line` is the number of the first. Line numbers are contiguous for one
 * job from 1, across attempts.
 */
export interface JobLogChunk {
  jobId: JobID;
  attempt: number;
  line: number;
  /** lines left out before this chunk */
  dropped?: number;
  lines: JobLogLine[];
}

/** JobLogLine is one line of text that a job wrote. */
export interface JobLogLine {
  /** Unix milliseconds */
  t: number;
  /** out, err or sys */
  s?: string;
  /** trace, debug, info, warn or error */
  l?: string;
  /** at most 16 KiB */
  m: string;
  f?: Record<string, unknown>;
}

/**
 * SubscribeRequest asks for the events of a job from `after` on. Subscribing again replaces the earlier
 * subscription of this socket.
 */
export interface SubscribeRequest {
  id: JobID;
  /** the seq that the page holds */
  after?: number;
  /** empty means tail */
  replay?: Replay;
  /** events in the ack, 0 to 1,000; missing means 200 */
  limit?: number;
  logs?: LogsWanted;
  /** reserved; ignored */
  off?: string;
}

/** Replay says which of the events that a page has missed are in the acknowledgement. */
export type Replay =
  | "all"
  | "tail"
  | "none";

/**
 * LogsWanted asks for a job's text: from after a line, or its newest lines. True asks for the newest 200,
 * false for none.
 */
export type LogsWanted = boolean | {
  /** the line that the page holds */
  after?: number;
  /** lines in the ack, at most 1,000; 0 means 200, or 1,000 where `after` is set */
  tail?: number;
};

/** JobRef names a job. */
export interface JobRef {
  id: JobID;
}

/** OK is the acknowledgement of a request that has nothing else to say. */
export interface OK {
  ok: true;
}

/** JobAck is one job, with its arguments. */
export interface JobAck {
  ok: true;
  job: Job;
}

/** HistoryRequest asks for a part of a job's log. */
export interface HistoryRequest {
  id: JobID;
  after?: number;
  /** 1 to 1,000; 0 means 200 */
  limit?: number;
}

/** HistoryAck is a part of a job's log, oldest first. */
export interface HistoryAck {
  ok: true;
  events: JobEvent[];
  /** of `events`, or that of the request if there are none */
  lastSeq: number;
  hasMore: boolean;
}

/** LogsRequest asks for a part of a job's text. */
export interface LogsRequest {
  id: JobID;
  after?: number;
  /** 1 to 1,000; wins over After */
  tail?: number;
  /** 1 to 1,000 lines; 0 means 200 */
  limit?: number;
}

/** LogsAck is a part of a job's text. */
export interface LogsAck {
  ok: true;
  log: JobLogChunk;
}

/** JobCancelRequest asks a job to stop. Cancelling twice, or a finished job, is no error. */
export interface JobCancelRequest {
  id: JobID;
  reason?: string;
  /** how long the worker may take; missing means 10,000 */
  graceMs?: number;
  /** do not wait for the worker at all */
  force?: boolean;
}

/** CancelAck says what a cancel did. */
export interface CancelAck {
  ok: true;
  outcome: JobOutcome;
  job: Job;
}

/** JobOutcome is what a cancel did. */
export type JobOutcome =
  | "cancelled"
  | "cancelling"
  | "already_finished";

/** JobListQuery selects jobs, newest first. */
export interface JobListQuery {
  state?: JobState;
  kind?: string;
  tag?: string;
  /** part of the id or the kind */
  q?: string;
  /** 1 to 200; 0 means 50 */
  limit?: number;
  /** ListPage.Next of the page before */
  cursor?: string;
}

/** ListAck is a page of the list of jobs, newest first. */
export interface ListAck {
  ok: true;
  jobs: Job[];
  next?: string;
  /** of all jobs, by state; every state is there */
  counts: Partial<Record<JobState, number>>;
}

/** JobChanges are the jobs whose newest state a list must show. */
export interface JobChanges {
  /** at most 200, without Args and Result */
  jobs: Job[];
  removed?: JobID[];
  /** of all jobs, by state; every state is there */
  counts: Partial<Record<JobState, number>>;
}

/** TaskRequest asks for the task. */
export interface TaskRequest {
  param: string;
}

/** TaskResponse says how far the task is. */
export interface TaskResponse {
  /** "200", or "429" when the client has too many tasks under way */
  code: string;
  msg: string;
}

/** Refusal is the acknowledgement of any request that was refused. The field ok tells it from a result. */
export interface Refusal {
  ok: false;
  error: JobProblem;
}

/**
 * JobProblem is an error as a client sees it (RFC 9457): the body of an HTTP answer with the type
 * application/problem+json, and the error field of a refused acknowledgement.
 */
export interface JobProblem {
  /** urn:jobs:problem:<code> */
  type: string;
  title: string;
  status: number;
  detail?: string;
  instance?: string;
  code: string;
  retryAfterMs?: number;
  errors?: JobProblemField[];
}

/** JobProblemField points at one wrong part of a request by a JSON pointer, such as "/args/path". */
export interface JobProblemField {
  pointer: string;
  detail: string;
}
