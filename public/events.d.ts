// Made by: go generate ./events. The events of each namespace, for the types of socket.io-client:
//
//     const socket: Socket<MainServerToClient, MainClientToServer> = io("/");
//     const socket: Socket<ChatServerToClient, ChatClientToServer> = io("/chat");
//     const socket: Socket<CompareServerToClient, CompareClientToServer> = io("/compare");
//     const socket: Socket<JobsServerToClient, JobsClientToServer> = io("/jobs");
//     const socket: Socket<TestnamespaceServerToClient, TestnamespaceClientToServer> = io("/testnamespace");
//     const socket: Socket<VoteServerToClient, VoteClientToServer> = io("/vote");

/**
 * `/` is the namespace every client is in: what it says comes back.
 *
 * What the server says.
 */
export interface MainServerToClient {
  /** is a message that has come back */
  message: (...args: any[]) => void;
  /** is an echo */
  echo: (...args: any[]) => void;
}

/**
 * `/` is the namespace every client is in: what it says comes back.
 *
 * What a client says.
 */
export interface MainClientToServer {
  /**
   * is what send() of the stock client emits
   *
   * The last argument may be a function, which gets the acknowledgement.
   */
  message: (...args: any[]) => void;
  /**
   * is any other thing to say
   *
   * The last argument may be a function, which gets the acknowledgement.
   */
  echo: (...args: any[]) => void;
}

/**
 * `/chat` is the chat: without auth the anonymous room, with a nickname the lobby, rooms of one's
 * own making, and words to one person. A nickname that cannot be is refused by a connect_error whose data
 * has a detail and the code nickname_taken, nickname_reserved (words wait there for somebody else),
 * nickname_empty, nickname_too_long, nickname_invalid or token_invalid.
 *
 * A page has a `chat:private` when it has acknowledged it, or when its connection has lived for a minute and a
 * half after it, as a heartbeat has come back by then. Otherwise the next connection is given it again, with
 * the same id.
 *
 * What the server says.
 */
export interface ChatServerToClient {
  /** tells who has a nickname how it was accepted */
  "chat:welcome": (payload: ChatIdentity) => void;
  /** is what was said in a room before, oldest first */
  "chat:history": (payload: ChatPast) => void;
  /** was said in a room */
  "chat:message": (payload: ChatMessage) => void;
  /** was said to one person; only the two get it, and it waits until a page has acknowledged it */
  "chat:private": (payload: ChatPrivate, ack: () => void) => void;
  /** is who is in a room that was entered */
  "chat:people": (payload: ChatPresent) => void;
  /** has come into a room; said once for all tabs of a person */
  "chat:joined": (payload: ChatPresence) => void;
  /** has left a room; said once for all tabs of a person */
  "chat:left": (payload: ChatPresence) => void;
  /** types something; it may be dropped on the way */
  "chat:typing": (payload: ChatTypingSign) => void;
}

/**
 * `/chat` is the chat: without auth the anonymous room, with a nickname the lobby, rooms of one's
 * own making, and words to one person. A nickname that cannot be is refused by a connect_error whose data
 * has a detail and the code nickname_taken, nickname_reserved (words wait there for somebody else),
 * nickname_empty, nickname_too_long, nickname_invalid or token_invalid.
 *
 * A page has a `chat:private` when it has acknowledged it, or when its connection has lived for a minute and a
 * half after it, as a heartbeat has come back by then. Otherwise the next connection is given it again, with
 * the same id.
 *
 * What a client says. It connects with auth: ChatAuth.
 */
export interface ChatClientToServer {
  /** says something in a room */
  "chat:message": (payload: ChatSayRequest, ack: (answer: ChatSayAck | Refusal) => void) => void;
  /** says something to one person, for whom it waits if need be */
  "chat:private": (payload: ChatTellRequest, ack: (answer: ChatTellAck | Refusal) => void) => void;
  /** enters a room, which is there when somebody is in it */
  "chat:join": (payload: ChatRoomRef, ack: (answer: OK | Refusal) => void) => void;
  /** leaves a room */
  "chat:leave": (payload: ChatRoomRef, ack: (answer: OK | Refusal) => void) => void;
  /** tells the others in a room that something is being typed */
  "chat:typing": (payload: ChatRoomRef) => void;
}

/**
 * `/compare` is one stream of events, watched over every transport side by side.
 *
 * What the server says.
 */
export interface CompareServerToClient {
  /** is one event of the run */
  "compare:event": (payload: CompareEvent) => void;
}

/**
 * `/compare` is one stream of events, watched over every transport side by side.
 *
 * What a client says. It connects with auth: CompareAuth.
 */
export interface CompareClientToServer {
  /** opens a run, which ends with this socket */
  "compare:open": (payload: CompareSettings, ack: (answer: CompareAck | Refusal) => void) => void;
  /** changes its settings */
  "compare:set": (payload: CompareSettings, ack: (answer: CompareAck | Refusal) => void) => void;
  /** asks for the server's clock */
  "compare:clock": (ack: (answer: CompareClockAck | Refusal) => void) => void;
  /** asks what the run has cost */
  "compare:figures": (ack: (answer: CompareFiguresAck | Refusal) => void) => void;
}

/**
 * `/jobs` starts long jobs and shows them live. A job goes on without its page, and a page that
 * comes back goes on after the last event that it holds.
 *
 * What the server says.
 */
export interface JobsServerToClient {
  /** the job waits for its time; data is DataScheduled */
  "job:scheduled": (payload: JobEvent) => void;
  /** the job waits for a worker, at first or again */
  "job:queued": (payload: JobEvent) => void;
  /** an attempt has begun */
  "job:started": (payload: JobEvent) => void;
  /** data is the new progress */
  "job:progress": (payload: JobEvent) => void;
  /** the job has gone on to its next part */
  "job:step": (payload: JobEvent) => void;
  /** a custom event of the worker's, which comes under its own name too; data is DataEvent */
  "job:event": (payload: JobEvent) => void;
  /** somebody has sent something to the worker; data is DataMessage */
  "job:message": (payload: JobEvent) => void;
  /** live values have changed; data is DataValues */
  "job:values": (payload: JobEvent) => void;
  /** nothing was heard of the worker for long; data is DataStalled */
  "job:stalled": (payload: JobEvent) => void;
  /** an attempt has failed, and the next has its time; data is DataRetrying */
  "job:retrying": (payload: JobEvent) => void;
  /** the worker was told to stop */
  "job:cancelling": (payload: JobEvent) => void;
  /** the last event of a job that is done */
  "job:completed": (payload: JobEvent) => void;
  /** the last event of a job that cannot be done */
  "job:failed": (payload: JobEvent) => void;
  /** the last event of a job that was stopped */
  "job:cancelled": (payload: JobEvent) => void;
  /** the job is erased; no line of its log, whose last number it has */
  "job:removed": (payload: JobEvent) => void;
  /**
   * `job:position` tells those who watch a queued job where it stands. It is no line of the log, and may be dropped on the
   * way: the next tells the same.
   */
  "job:position": (payload: QueuePlace) => void;
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
  /** `job:logs` reads a part of the text that a job wrote, or searches it. */
  "job:logs": (payload: LogsRequest, ack: (answer: LogsAck | Refusal) => void) => void;
  /** `job:cancel` asks a job to stop. */
  "job:cancel": (payload: JobCancelRequest, ack: (answer: CancelAck | Refusal) => void) => void;
  /** `job:retry` starts a finished job again, as a new job with retryOf. */
  "job:retry": (payload: JobRetryRequest, ack: (answer: StartAck | Refusal) => void) => void;
  /** `job:remove` erases a finished job and everything that it left. */
  "job:remove": (payload: JobRemoveRequest, ack: (answer: OK | Refusal) => void) => void;
  /** `job:send` sends a message to the worker of a job. */
  "job:send": (payload: JobSendRequest, ack: (answer: LineAck | Refusal) => void) => void;
  /** `queue:pause` lets no job of a queue begin, on any server, until `queue:resume`. */
  "queue:pause": (payload: JobQueueRequest, ack: (answer: QueueAck | Refusal) => void) => void;
  /** `queue:resume` ends what `queue:pause` began. It is no error if nothing did. */
  "queue:resume": (payload: JobQueueRequest, ack: (answer: QueueAck | Refusal) => void) => void;
  /** `queues:list` says how the queues stand. */
  "queues:list": (ack: (answer: QueuesAck | Refusal) => void) => void;
  /** `schedule:put` makes a schedule, or changes the one with the same id. */
  "schedule:put": (payload: JobScheduleRequest, ack: (answer: ScheduleAck | Refusal) => void) => void;
  /** `schedule:list` has all schedules. */
  "schedule:list": (ack: (answer: SchedulesAck | Refusal) => void) => void;
  /** `schedule:remove` removes a schedule. The jobs that it has made stay. */
  "schedule:remove": (payload: JobScheduleRef, ack: (answer: OK | Refusal) => void) => void;
  /** `schedule:run` makes a job of a schedule now, whether it is paused or not. */
  "schedule:run": (payload: JobScheduleRef, ack: (answer: StartAck | Refusal) => void) => void;
  /** `jobs:list` reads a page of the list of jobs. */
  "jobs:list": (payload: JobListQuery, ack: (answer: ListAck | Refusal) => void) => void;
  /** `jobs:watch` is `jobs:list`, and from then on `jobs:changed` says what changes, at most twice a second. */
  "jobs:watch": (payload: JobListQuery, ack: (answer: ListAck | Refusal) => void) => void;
  /** `jobs:unwatch` ends what `jobs:watch` began. */
  "jobs:unwatch": (ack: (answer: OK | Refusal) => void) => void;
  /** `jobs:kinds` describes the kinds of job that can be started, each with a JSON Schema of its arguments. */
  "jobs:kinds": (ack: (answer: KindsAck | Refusal) => void) => void;
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
  /** starts the same task as a durable job, which is watched on /jobs */
  request_for_job: (payload: TaskRequest, ack: (answer: TaskAck | Refusal) => void) => void;
}

/**
 * `/vote` counts votes and shows the counts live.
 *
 * What the server says.
 */
export interface VoteServerToClient {
  /** is how all stand: when a client connects, and again where changes were missed */
  votes: (payload: VoteList) => void;
  /** is one vote, of whomever; a count only grows */
  "vote:changed": (payload: VoteChange) => void;
}

/**
 * `/vote` counts votes and shows the counts live.
 *
 * What a client says.
 */
export interface VoteClientToServer {
  /** is answered when the vote is stored */
  vote: (payload: VoteRequest, ack: (answer: VoteAck | Refusal) => void) => void;
}

/** ChatAuth is what a client connects with. Without a nickname it is anonymous. */
export interface ChatAuth {
  /** 1 to 32 characters */
  nickname?: string;
  /** a random secret of the client's own, 16 to 256 bytes: who comes with the same is the same person, in another tab or later, and what waits for the nickname is theirs alone */
  token?: string;
}

/**
 * ChatSayRequest says something in a room; no room means the anonymous one, or the lobby for who has a
 * nickname.
 */
export interface ChatSayRequest {
  room?: string;
  /** 1 to 4,000 bytes */
  chat: string;
}

/** ChatSayAck says that a message is kept, and under which id. */
export interface ChatSayAck {
  ok: true;
  id: number;
  room: string;
}

/** ChatTellRequest says something to one person. */
export interface ChatTellRequest {
  to_user: string;
  /** 1 to 4,000 bytes */
  chat: string;
}

/** ChatTellAck says that a private message is kept, and whether that person has it. If not it waits. */
export interface ChatTellAck {
  ok: true;
  id: number;
  /** a page of that person has taken it, within two seconds */
  delivered: boolean;
}

/** ChatRoomRef names a room. */
export interface ChatRoomRef {
  /** 1 to 64 characters */
  room: string;
}

/** OK is the acknowledgement of a request that has nothing else to say. */
export interface OK {
  ok: true;
}

/** ChatIdentity is a nickname as it was accepted, without the spaces around it. */
export interface ChatIdentity {
  nickname: string;
}

/** ChatPast is the newest of what was said in a room, at most 200 messages. */
export interface ChatPast {
  messages: ChatMessage[];
}

/** ChatMessage was said in a room. */
export interface ChatMessage {
  /** grows by one with all that is said, in whatever room */
  id: number;
  /** "" is the room of those without a nickname */
  room: string;
  from_user?: string;
  chat: string;
  at: string;
}

/** ChatPrivate was said to one person. */
export interface ChatPrivate {
  /** grows with all that is said; who gets one twice knows it by this */
  id: number;
  from_user: string;
  to_user: string;
  chat: string;
  at: string;
}

/** ChatPresent is everybody in a room, sorted. */
export interface ChatPresent {
  room: string;
  people: string[];
}

/** ChatPresence is somebody who came or left. */
export interface ChatPresence {
  room: string;
  user: string;
}

/** ChatTypingSign is somebody who types. */
export interface ChatTypingSign {
  room: string;
  from_user: string;
}

/** CompareAuth asks for the events of a run from `after` on. */
export interface CompareAuth {
  run: string;
  /** the number that the client holds */
  after?: number;
}

/** CompareSettings are what a visitor chooses. */
export interface CompareSettings {
  /** events a second, 1 to MaxRate */
  rate: number;
  /** bytes of an event's JSON, MinSize to MaxSize */
  size: number;
}

/** CompareAck is the run that was opened or changed, with its settings from now on. */
export interface CompareAck {
  ok: true;
  /** events a second, 1 to MaxRate */
  rate: number;
  /** bytes of an event's JSON, MinSize to MaxSize */
  size: number;
  run: string;
  /** the newest event's number */
  last: number;
}

/** CompareClockAck is the time by the server's clock: half-way between question and answer, more or less. */
export interface CompareClockAck {
  ok: true;
  /** microseconds since 1970 */
  at: number;
}

/** CompareFiguresAck is what the run has cost so far. */
export interface CompareFiguresAck {
  ok: true;
  /** microseconds since 1970 by the server's clock */
  at: number;
  /** the newest event's number */
  last: number;
  /**
   * CPU is the processor time that the whole process has used since its start, in microseconds; zero
   * where the system does not tell.
   */
  cpu: number;
  /**
   * Counted is false where the bytes are not known, which are zero then: the system does not count those of a
   * connection, or the run's requests came over HTTP/2, where all of a page share one.
   */
  counted: boolean;
  lines: Record<string, CompareTraffic>;
}

/**
 * CompareTraffic is what a transport has cost on the wire so far. The bytes are those of the TCP streams, as the
 * system counts them: requests and answers with all their header fields, WebSocket frames with theirs. The
 * headers of TCP and IP, and what was sent twice, are not in them.
 */
export interface CompareTraffic {
  /** HTTP requests; a WebSocket is opened by one */
  requests: number;
  /** bytes that the server received */
  in: number;
  /** bytes that the server sent */
  out: number;
}

/** An Event is one event of a run. The same value goes out over every transport. */
export interface CompareEvent {
  /** 1, 2, 3, … */
  n: number;
  /** when it was made, in microseconds since 1970 by the server's clock */
  at: number;
  /** makes the event as large as was asked for */
  pad: string;
}

/**
 * JobStartRequest asks for a new job. Its fields and limits are those of the contract's StartRequest; a
 * field that this server does not serve is refused by name, never ignored.
 */
export interface JobStartRequest {
  kind: string;
  args?: unknown;
  /** 1 to 200 characters; empty means the one that the kind makes */
  title?: string;
  id?: JobID;
  idempotencyKey?: string;
  /** empty means the kind's, which is "default" unless it says another */
  queue?: string;
  /** empty means default */
  priority?: JobPriority;
  /** not before; missing or past: at once */
  runAt?: string;
  /** the same, from now; not together with `runAt` */
  delayMs?: number;
  timeoutMs?: number;
  /** 1 to 100; 0 means the kind's, which is 1 unless it says another */
  maxAttempts?: number;
  backoff?: JobBackoff;
  /** at most one job of a key runs at a time */
  concurrencyKey?: string;
  parentId?: JobID;
  /** how long it is kept when it has finished; 0: not at all */
  retentionMs?: number;
  tags?: string[];
  /** Socket.IO only; default true */
  subscribe?: boolean;
  /** Socket.IO only */
  logs?: boolean;
}

/** JobID names one job: 1 to 64 of 0-9 A-Z a-z _ -. It is a ULID unless the client chose it. */
export type JobID = string;

/** JobPriority says which jobs of a queue come first: strictly, but now and then the oldest of the queue has its turn. */
export type JobPriority =
  | "high"
  | "default"
  | "low";

/** JobBackoff says how long a job waits after an attempt that has failed. */
export interface JobBackoff {
  /** "fixed" or "exponential", which doubles the wait each time; empty means exponential */
  type?: string;
  /** the first wait; 0 means 1,000 */
  delayMs?: number;
  /** the longest wait; 0 means 600,000 */
  maxMs?: number;
  /** the share of the wait, 0 to 1, that is left to chance: the wait is then shorter by up to it */
  jitter?: number;
}

/**
 * StartAck is the job that was made or found, and with `job:start` the subscription to it unless the request declined
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
  /** what the job works on; none in jobs of older versions */
  title?: string;
  queue: string;
  /** empty means default */
  priority?: JobPriority;
  state: JobState;
  seq: number;
  /** runs that have begun; those that were handed back do not count */
  attempt: number;
  /** attempts whose worker was lost; they use up no attempt of `maxAttempts` */
  lost?: number;
  /** runs that may end with an error */
  maxAttempts: number;
  concurrencyKey?: string;
  /** how long one run may take */
  timeoutMs?: number;
  /** the finished job that this one repeats */
  retryOf?: JobID;
  parentId?: JobID;
  /** the parent's parent, and so on */
  rootId?: JobID;
  tags?: string[];
  /** only where one job is asked for */
  args?: unknown;
  progress?: JobProgress;
  result?: unknown;
  /** what the attempt could not do, and went on */
  warnings?: number;
  error?: JobError;
  artifacts?: JobArtifact[];
  cancelRequested?: boolean;
  /** it runs, and nothing was heard of it since `heartbeatAt` */
  stalled?: boolean;
  /** it runs, and holds no slot: it waits for a child or an answer */
  waiting?: boolean;
  /** of a stalled job: its last sign of life */
  heartbeatAt?: string;
  worker?: string;
  /** of a scheduled job: when it is queued */
  runAt?: string;
  /** of a finished job: when it is removed */
  expiresAt?: string;
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  log?: JobLogInfo;
  /** what the worker shows of its work now; at most 64, 16 KiB */
  values?: Record<string, unknown>;
  /** the questions that are open */
  asks?: JobAsk[];
  /** missing: it has none */
  children?: JobChildren;
  /** those of the attempt, in order; the newest 64 */
  steps?: JobStepTime[];
  /** what has made it */
  schedule?: JobTick;
  /**
   * Where it stands now, of this node's memory: never stored, and only where one job is asked for.
   *
   * of a running job: how long those of its kind take; missing: too few have completed
   */
  usual?: JobUsual;
  waitsFor?: JobWaitsFor;
  /** of a queued job: from 1, which is the next */
  queuePosition?: number;
  /** missing: nobody can tell */
  expectedStartAt?: string;
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
 * JobProgress is how far a job is. `percent`, `rate` and ETA are computed by the engine. `percent` is below 100 until
 * the job has completed, and never goes back within a step; a job that completes with warnings keeps what it had.
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

/** JobAsk is an open question of a job. A job asks with job.asked, and holds no slot until it is answered. */
export interface JobAsk {
  /** its name, unique in the job, such as "overwrite"; it matches ^[a-z][a-z0-9_.:-]{0,63}$ */
  ask: string;
  /** what people are asked, 1 to 2,000 characters */
  text: string;
  /** the JSON Schema (2020-12) of an answer; without it and without choices, any JSON is one */
  schema?: unknown;
  /** an answer is one of them; at most 50, of 1 to 200 characters each */
  choices?: string[];
  /** the answer when the time has run out */
  default?: unknown;
  deadline?: string;
  askedAt: string;
}

/** JobChildren are how many children a job has, by their states. */
export interface JobChildren {
  total: number;
  scheduled: number;
  queued: number;
  running: number;
  completed: number;
  failed: number;
  cancelled: number;
}

/** JobStepTime is when a step of a job was under way. */
export interface JobStepTime {
  /** from 1 */
  index: number;
  count: number;
  /** at most 120 bytes */
  name: string;
  startedAt: string;
  /** missing: it is under way */
  endedAt?: string;
}

/** JobTick says of a job which tick of which schedule has made it. */
export interface JobTick {
  /** the schedule's */
  id: JobID;
  /** when it was due; of one that was run by hand, when that was */
  tick: string;
  /** no server ran when it was due; of several such ticks the newest made a job */
  late?: boolean;
}

/**
 * JobUsual is how long the jobs of a kind take: of the newest runs that completed, at most 100. It is told with a running
 * job, from which time was left to guess, and never stored.
 */
export interface JobUsual {
  /** how many were looked at, 3 at least */
  runs: number;
  /** half of them took less */
  medianMs: number;
  /** a tenth of them took less */
  lowMs: number;
  /** a tenth of them took more */
  highMs: number;
  /** one in twenty took more */
  slowMs: number;
  /** the job has taken longer than 95 of 100 runs */
  slow: boolean;
  /** the newest of them, whose steps can be laid beside the job's */
  previousId: JobID;
}

/** JobWaitsFor is what keeps a job from running. */
export type JobWaitsFor =
  | "worker"
  | "queue"
  | "key"
  | "slot"
  | "children"
  | "answer";

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
  | "job.scheduled"
  | "job.queued"
  | "job.started"
  | "job.progress"
  | "job.step"
  | "job.stalled"
  | "job.retrying"
  | "job.cancelling"
  | "job.completed"
  | "job.failed"
  | "job.cancelled"
  | "job.event"
  | "job.message"
  | "job.asked"
  | "job.answered"
  | "job.values"
  | "job.child"
  | "job.removed";

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
  /** 1 to 1,000; wins over After, and is refused with Q */
  tail?: number;
  /** 1 to 1,000 lines; 0 means 200 */
  limit?: number;
  /** a part of a line, in any case of its letters; at most 200 bytes */
  q?: string;
}

/** LogsAck is a part of a job's text: `log`, or `found` where the request has a q. */
export interface LogsAck {
  ok: true;
  log?: JobLogChunk;
  found?: JobLogFound;
}

/**
 * JobLogFound is what a search for LogQuery.Q has found, oldest first. A search ends after a second or with Limit lines
 * found; `more` says that there are lines behind `lastLine` at which it has not looked. It goes on with After = `lastLine`.
 */
export interface JobLogFound {
  jobId: JobID;
  hits: JobLogHit[];
  /** the last line that was looked at, or After if there was none */
  lastLine: number;
  more: boolean;
}

/** JobLogHit is a line in which a search found its words. */
export interface JobLogHit {
  line: number;
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

/**
 * JobRetryRequest starts a finished job again, as a new job with its RetryOf. The old one stays as it is. A job that has
 * not finished is refused with code conflict.
 */
export interface JobRetryRequest {
  id: JobID;
  /** other arguments; without them, those of the old job */
  args?: unknown;
}

/**
 * JobRemoveRequest erases a finished job and everything that it left. A job that has not finished is refused with code
 * conflict.
 */
export interface JobRemoveRequest {
  id: JobID;
}

/**
 * JobSendRequest sends a message to the worker of a job, which gets it wherever it runs; between two attempts it waits
 * for the next. It is refused with code conflict when the job has finished.
 */
export interface JobSendRequest {
  id: JobID;
  name: string;
  /** at most MaxPayloadBytes */
  payload?: unknown;
}

/** LineAck is the line of the job's log that a request has become. */
export interface LineAck {
  ok: true;
  seq: number;
}

/**
 * JobQueueRequest names a queue, to pause it or to let it go on. Pausing twice is no error. A paused queue takes jobs,
 * and begins none; those that run go on.
 */
export interface JobQueueRequest {
  /** empty means "default" */
  queue?: string;
}

/** QueueAck is how a queue stands. */
export interface QueueAck {
  ok: true;
  queue: JobQueueInfo;
}

/** JobQueueInfo is how a queue stands. Its limits hold for all servers together. */
export interface JobQueueInfo {
  name: string;
  paused: boolean;
  /** jobs that are queued */
  depth: number;
  /** the same, by priority; every priority is there */
  byPriority: Partial<Record<JobPriority, number>>;
  /** jobs that hold a slot */
  running: number;
  /** how many may; 0 means no limit */
  concurrency?: number;
  /** how many may begin, such as "10/m"; empty means no limit */
  rate?: string;
  /** how long the oldest of the queued jobs has waited */
  oldestWaitMs?: number;
}

/** QueuesAck has the queues, sorted by name: those of the configuration, of the kinds, and those that have jobs. */
export interface QueuesAck {
  ok: true;
  queues: JobQueueInfo[];
}

/**
 * JobScheduleRequest puts a schedule: one that is new, or another one in place of that with the same id. Either `cron` or
 * `everyMs` is given.
 */
export interface JobScheduleRequest {
  id: JobID;
  /** five fields, minute to day of the week, such as "30 4 * * 1"; 1 to 200 characters */
  cron?: string;
  /** 1,000 at least, ten years at most */
  everyMs?: number;
  /** of `cron`, a name of the IANA time zone database, such as "Europe/Berlin"; empty means "UTC" */
  timezone?: string;
  /** empty means skip */
  overlap?: JobOverlap;
  /** its ticks make no jobs; it can be run by hand */
  paused?: boolean;
  /** the job of each tick: without id, idempotencyKey, parentId, runAt, delayMs, subscribe and logs */
  start: JobStartRequest;
}

/** JobOverlap says what becomes of a tick while the job of an earlier one has not finished. */
export type JobOverlap =
  | "skip"
  | "queue"
  | "cancel";

/** ScheduleAck is a schedule as it is kept. */
export interface ScheduleAck {
  ok: true;
  schedule: JobSchedule;
  /** false: there was one of this id */
  created: boolean;
}

/** JobSchedule is a schedule as the server keeps it. Its first fields are those of the ScheduleRequest. */
export interface JobSchedule {
  id: JobID;
  cron?: string;
  everyMs?: number;
  timezone: string;
  overlap: JobOverlap;
  paused: boolean;
  start: JobStartRequest;
  createdAt: string;
  /** when it was last put */
  updatedAt: string;
  /** its next tick; missing: it is paused, or has none */
  nextAt?: string;
  /** its newest tick that made a job */
  lastAt?: string;
  /** that job */
  lastJobId?: JobID;
}

/** SchedulesAck has the schedules, sorted by id. */
export interface SchedulesAck {
  ok: true;
  schedules: JobSchedule[];
}

/** JobScheduleRef names a schedule, to remove it or to run it now. */
export interface JobScheduleRef {
  id: JobID;
}

/** JobListQuery selects jobs. */
export interface JobListQuery {
  state?: JobState;
  kind?: string;
  queue?: string;
  tag?: string;
  /** the children of one job */
  parentId?: JobID;
  /**
   * `q` is words. Each must be a part of the id, the kind, the title or a tag, in any case of its
   * letters.
   */
  q?: string;
  /** empty means newest */
  sort?: JobSort;
  /** 1 to 200; 0 means 50 */
  limit?: number;
  /** ListPage.Next of the page before, which had the same `sort` */
  cursor?: string;
}

/** JobSort is the order of a list. */
export type JobSort =
  | "newest"
  | "oldest"
  | "changed"
  | "title";

/** ListAck is a page of the list of jobs, newest first unless the request says otherwise. */
export interface ListAck {
  ok: true;
  jobs: Job[];
  next?: string;
  /** of all jobs, by state; every state is there */
  counts: Partial<Record<JobState, number>>;
}

/** KindsAck has the kinds of job, sorted by name. */
export interface KindsAck {
  ok: true;
  kinds: JobKindInfo[];
}

/** JobKindInfo describes a kind of job to who wants to start one. */
export interface JobKindInfo {
  name: string;
  /** what people call the kind */
  title: string;
  /** what a job of the kind does */
  sentence?: string;
  /** the JSON Schema (2020-12) of the arguments */
  args: unknown;
}

/** QueuePlace is where a queued job stands. */
export interface QueuePlace {
  id: JobID;
  /** from 1, which is the next */
  queuePosition: number;
  /** missing: nobody can tell */
  expectedStartAt?: string;
  waitsFor?: JobWaitsFor;
}

/**
 * JobChanges are the jobs whose newest state a list must show, and those that it must not show any more. Removed is
 * to be looked at first: a job may be in both, where one was removed and another of that name was made.
 */
export interface JobChanges {
  /** at most 200, without Args and Result */
  jobs: Job[];
  removed?: JobID[];
  /** too many were removed to say which: read the list again */
  again?: boolean;
  /** of all jobs, by state; every state is there */
  counts: Partial<Record<JobState, number>>;
}

/** TaskRequest asks for the task. */
export interface TaskRequest {
  param: string;
}

/** TaskAck names the job. */
export interface TaskAck {
  ok: true;
  id: JobID;
}

/** TaskResponse says how far the task is. */
export interface TaskResponse {
  /** "200", or "429" when the client has too many tasks under way */
  code: string;
  msg: string;
}

/** VoteRequest is a vote. */
export interface VoteRequest {
  uid: VoteUID;
}

/** VoteUID says who is voted for: the number of a candidate, or the same as text, such as "1". */
export type VoteUID = string | number;

/** VoteAck is a vote that counts, with its candidate after it. */
export interface VoteAck {
  ok: true;
  candidate: VoteCandidate;
}

/** A Candidate is who can be voted for, with the votes so far. */
export interface VoteCandidate {
  uid: number;
  name: string;
  count: number;
}

/** VoteList is how all candidates stand at one revision. */
export interface VoteList {
  rev: number;
  candidates: VoteCandidate[];
}

/** VoteChange is the revision that a vote made, and its candidate then. */
export interface VoteChange {
  rev: number;
  uid: number;
  name: string;
  count: number;
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
