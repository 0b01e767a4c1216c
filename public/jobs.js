/**
 * jobs.js - watch a Jobcast job from any page.
 *
 *     import { watchJob } from '/jobs.js';
 *
 *     const socket = io('/jobs');                  // the stock socket.io.js, version 4
 *     const watch = watchJob(socket, jobId, {
 *       logs: { tail: 200 },
 *       onSnapshot: (job) => show(job),            // the state now
 *       onEvent: (event) => timeline.push(event),  // each event once, in the order of seq
 *       onLog: (chunk) => print(chunk.lines),      // each line once, in order
 *       onDone: (job) => finish(job),              // once, after the terminal event
 *       onError: (problem) => explain(problem),    // an RFC 9457 problem object
 *     });
 *     watch.last;                                  // the seq of the newest event applied
 *     watch.stop();
 *
 * The rule it keeps, for every event:
 *
 *     seq  <= last   ignore it, it is known
 *     prev <= last   apply it, last = seq
 *     otherwise      something is missing: subscribe again with after: last
 *
 * On every `connect` it subscribes again with after: last; missed events come inside the
 * acknowledgement, before anything that is live. Where they do not all fit (`hasMore`), it
 * subscribes once more, until they did. A page can therefore reload with
 * `after: watch.last` and go on where it was.
 *
 * Acknowledgements are taken by callback and not by `await`: a promise resumes only after
 * the packets that followed the ack in the same frame were handled, and the order is lost.
 *
 * The module has no dependencies and no global state but one WeakMap: all watches on a
 * socket share one set of listeners, which goes away with the last watch.
 */

/** The event names of one job's log, as they arrive over Socket.IO. */
export const JOB_EVENTS = Object.freeze([
  'job:scheduled', 'job:queued', 'job:started', 'job:progress', 'job:step', 'job:event',
  'job:stalled', 'job:retrying', 'job:cancelling', 'job:completed', 'job:failed',
  'job:cancelled', 'job:child', 'job:removed',
]);

const PAGE = 1000; // events asked for at once, the most the server gives
const LOG_PAGE = 1000; // log lines asked for at once, the most the server gives
const BEHIND_MS = 3000; // text that is older than this, by the job's own clock, is not waited for
const SKIP_MS = 1000; // the newest text is asked for at most once in so long
const SKIP_LINES = 200; // and so much of it
const HELD = 1000; // events (or log chunks) held behind a gap; more are dropped and fetched again
const RETRY_MS = 250; // first wait after a refusal, or an answer that brought nothing new
const RETRY_MAX_MS = 8000;

/** Whether a job in this state has had its last event. */
export function isTerminal(state) {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}

/**
 * The snapshot that results from one event: a new object, or `job` itself where the snapshot
 * already holds the event. It lets a page stay current between two snapshots.
 */
export function fold(job, event) {
  if (!job || event.seq <= job.seq) return job;
  const data = event.data ?? {};
  const next = { ...job, seq: event.seq, attempt: event.attempt ?? job.attempt };
  if (event.state) next.state = event.state;
  switch (event.type) {
    case 'job.queued':
    case 'job.scheduled':
      next.state = event.state ?? event.type.slice(4);
      break;
    case 'job.started':
      next.state = 'running';
      next.startedAt = event.time;
      if (data.worker) next.worker = data.worker;
      delete next.progress; // a new attempt counts from its own beginning
      delete next.stalled;
      delete next.warnings;
      break;
    case 'job.progress':
      next.progress = { ...data, step: data.step ?? job.progress?.step };
      break;
    case 'job.step':
      next.progress = { done: 0, step: data.step ?? data }; // a step counts from its own beginning
      break;
    case 'job.stalled':
      next.stalled = true;
      break;
    case 'job.cancelling':
      next.cancelRequested = true;
      break;
    case 'job.retrying':
      if (data.error) next.error = data.error;
      if (data.runAt) next.runAt = data.runAt;
      break;
    case 'job.completed':
    case 'job.failed':
    case 'job.cancelled':
      next.state = event.type.slice(4);
      next.finishedAt = event.time;
      if ('result' in data) next.result = data.result;
      if (data.error) next.error = data.error;
      if (data.artifacts) next.artifacts = data.artifacts;
      if (data.warnings) next.warnings = data.warnings;
      if (next.state === 'completed' && next.progress) {
        const { done, total, percent } = next.progress;
        // With warnings, a part may not have been done.
        next.progress = { ...next.progress, percent: data.warnings && done < total ? percent : 100, etaMs: null };
      }
      break;
    default:
  }
  return next;
}

/** One hub for each socket: the listeners, and who watches what. */
const hubs = new WeakMap();

class Hub {
  constructor(socket) {
    this.socket = socket;
    this.watches = new Map(); // job id -> Set of Watch
    this.onConnect = () => this.each((watch) => watch.connected());
    this.onDisconnect = () => this.each((watch) => watch.disconnected());
    this.onEvent = (event) => this.of(event?.jobId, (watch) => watch.event(event, false));
    this.onLog = (chunk) => this.of(chunk?.jobId, (watch) => watch.log(chunk, false));
    this.listen('on');
  }

  static for(socket) {
    let hub = hubs.get(socket);
    if (!hub) hubs.set(socket, (hub = new Hub(socket)));
    return hub;
  }

  listen(method) {
    this.socket[method]('connect', this.onConnect);
    this.socket[method]('disconnect', this.onDisconnect);
    for (const name of JOB_EVENTS) this.socket[method](name, this.onEvent);
    this.socket[method]('job:log', this.onLog);
  }

  each(call) {
    for (const set of [...this.watches.values()]) for (const watch of [...set]) call(watch);
  }

  of(id, call) {
    for (const watch of [...(this.watches.get(id) ?? [])]) call(watch);
  }

  add(watch) {
    if (!this.watches.has(watch.id)) this.watches.set(watch.id, new Set());
    this.watches.get(watch.id).add(watch);
  }

  remove(watch) {
    const set = this.watches.get(watch.id);
    if (!set?.delete(watch)) return;
    if (set.size === 0) {
      this.watches.delete(watch.id);
      if (this.socket.connected) this.socket.emit('job:unsubscribe', { id: watch.id }, () => {});
    }
    if (this.watches.size === 0) {
      this.listen('off');
      hubs.delete(this.socket);
    }
  }
}

class Watch {
  constructor(socket, id, options) {
    this.socket = socket;
    this.id = id;
    this.options = options;
    this.last = options.after ?? 0;
    this.job = null; // the newest snapshot, folded
    this.stopped = false;
    this.finished = false; // onDone was called
    this.epoch = 0; // counts connections; answers from an older one are ignored
    this.busy = false; // a subscribe is on its way
    this.held = []; // events behind a gap, until what is missing has come
    this.idle = 0; // subscribes in a row that brought nothing new
    this.timer = null;

    this.wantsLogs = Boolean(options.logs);
    this.lastLine = options.logs?.after ?? null; // null: not known before the first ack
    this.filling = false;
    this.heldLogs = [];
    this.emptyFills = 0;
    this.newest = -Infinity; // the server's time of the newest event
    this.offset = Infinity; // this page's clock minus the server's, and the way between them
    this.skipping = false;
    this.skippedAt = -Infinity;

    this.hub = Hub.for(socket);
    this.hub.add(this);
    if (socket.connected) this.connected();
  }

  stop() {
    if (this.stopped) return;
    this.stopped = true;
    clearTimeout(this.timer);
    this.hub.remove(this);
  }

  call(name, ...args) {
    if (!this.stopped) this.options[name]?.(...args);
  }

  // ---- the connection

  connected() {
    this.disconnected();
    this.idle = 0;
    if (!this.finished || this.logBehind()) this.subscribe();
  }

  disconnected() {
    this.epoch++;
    this.busy = false;
    this.filling = false;
    this.skipping = false;
    this.held = [];
    this.heldLogs = [];
    clearTimeout(this.timer);
  }

  /** Emits with an ack that is dropped when it belongs to another connection. */
  ask(name, payload, done) {
    const { epoch } = this;
    this.socket.emit(name, payload, (answer) => {
      if (!this.stopped && epoch === this.epoch) done(answer ?? { ok: false, error: noAnswer });
    });
  }

  later(call) {
    const wait = Math.min(RETRY_MS * 2 ** this.idle++, RETRY_MAX_MS);
    clearTimeout(this.timer);
    this.timer = setTimeout(call, wait);
  }

  /** Refused: try again where that can help, and say so where it cannot. */
  refused(problem, again) {
    this.busy = false;
    if (problem?.status === 429 || problem?.status === 503) {
      clearTimeout(this.timer);
      if (problem.retryAfterMs) this.timer = setTimeout(again, problem.retryAfterMs);
      else this.later(again);
      return;
    }
    this.call('onError', problem);
  }

  // ---- events

  subscribe() {
    if (this.busy || this.stopped || !this.socket.connected) return;
    this.busy = true;
    clearTimeout(this.timer);
    const request = { id: this.id, after: this.last, replay: 'all', limit: PAGE };
    const logs = this.logRequest();
    if (logs) request.logs = logs;
    this.ask('job:subscribe', request, (ack) => {
      if (!ack.ok) return this.refused(ack.error, () => this.subscribe());
      this.subscribed(ack);
    });
  }

  subscribed(ack) {
    const before = this.last;
    const events = ack.events ?? [];
    if (!ack.recovered) {
      // The server cannot continue from `last`: what it still has is the new beginning.
      this.last = events.length ? events[0].seq - 1
        : ack.hasMore ? Math.max(0, (ack.firstSeq ?? 1) - 1)
          : ack.lastSeq;
      this.held = [];
    }
    if (!ack.recovered || ack.job.seq >= this.last) {
      this.job = ack.job;
      this.call('onSnapshot', ack.job, { recovered: ack.recovered, firstSeq: ack.firstSeq, lastSeq: ack.lastSeq });
    }
    // Another watch of this job on this socket moves along; the server has one subscription.
    this.hub.of(this.id, (watch) => { if (watch !== this) watch.shared(events); });
    for (const event of events) this.apply(event, true);
    if (this.wantsLogs) this.logAck(ack.log, ack.job);
    if (!ack.recovered && !ack.hasMore) this.last = Math.max(this.last, ack.lastSeq);
    this.busy = false;
    if (this.last !== before) this.idle = 0;
    // A full ack is only a part, and nothing live follows it: ask for the next one.
    if (ack.hasMore) return this.again();
    const held = this.held;
    this.held = [];
    for (const event of held) this.event(event, false);
    if (ack.done) this.finish(ack.job);
  }

  /** Subscribes again: at once after an answer that helped, else after a wait that grows. */
  again() {
    if (this.busy) return; // the answer on its way may well hold what is missing
    if (this.idle === 0) {
      this.idle = 1;
      this.subscribe();
    } else {
      this.later(() => this.subscribe());
    }
  }

  /** Events from another watch's ack: what fits is taken, a gap is no reason to ask. */
  shared(events) {
    for (const event of events) this.apply(event, true);
    if (!this.busy && this.job && isTerminal(this.job.state) && this.last >= this.job.seq) this.terminal();
  }

  /** Takes one live event by the rule at the top of this file. */
  event(event, replay) {
    if (this.apply(event, replay)) return;
    if (this.held.length < HELD) this.held.push(event);
    this.again();
  }

  /** Applies one event if it is known or continues what is known; false is a gap. */
  apply(event, replay) {
    if (event.seq <= this.last) return true;
    if (event.prev > this.last) return false;
    this.last = event.seq;
    this.tick(event.time);
    this.job = fold(this.job, event);
    this.call('onEvent', event, { replay });
    if (!replay) {
      this.idle = 0;
      if (isTerminal(event.type.slice(4))) this.terminal();
    }
    return true;
  }

  /** The terminal event came outside a subscribe's ack. The final snapshot has the result: ask. */
  terminal() {
    if (this.finished) return;
    this.ask('job:get', { id: this.id }, (ack) => this.finish(ack.ok ? ack.job : this.job));
  }

  finish(job) {
    if (this.finished) return;
    this.finished = true;
    this.job = job;
    this.call('onDone', job);
    if (this.logBehind()) this.fill(job.log.lines + 1);
  }

  // ---- log lines: numbered from 1 without holes, so a hole is seen and filled

  logRequest() {
    if (!this.wantsLogs) {
      // Another watch on this socket may have asked for lines: do not turn them off.
      let other = null;
      this.hub.of(this.id, (watch) => { if (watch.wantsLogs) other = watch.logRequest(); });
      return other;
    }
    if (this.lastLine !== null) return { after: this.lastLine };
    return { tail: this.options.logs.tail ?? 200 };
  }

  /** Whether lines are known to exist that were not delivered. */
  logBehind() {
    return this.wantsLogs && this.lastLine !== null && (this.job?.log?.lines ?? 0) > this.lastLine;
  }

  logAck(chunk, job) {
    // The stored text is shorter than what the page has: it is that of another store, and is read from its beginning.
    if (chunk && this.lastLine !== null && chunk.line + (chunk.lines?.length ?? 0) <= this.lastLine) this.lastLine = null;
    if (this.lastLine === null) {
      this.lastLine = chunk ? Math.max(0, chunk.line - 1) : 0;
      if (!chunk?.lines?.length && job.log?.lines) this.lastLine = job.log.lines;
    }
    if (chunk?.lines?.length) this.log(chunk, true);
    const held = this.heldLogs;
    this.heldLogs = [];
    for (const one of held) this.log(one, false);
    if ((job.log?.lines ?? 0) > this.lastLine) this.fill(job.log.lines + 1);
  }

  log(chunk, replay) {
    if (!this.wantsLogs || !chunk.lines?.length) return;
    if (!replay && this.lag(chunk.lines[chunk.lines.length - 1].t) > BEHIND_MS) {
      this.skip();
      return;
    }
    if (this.lastLine === null || (this.filling && chunk.line > this.lastLine + 1)) {
      if (this.heldLogs.length < HELD) this.heldLogs.push(chunk);
      return;
    }
    if (chunk.line > this.lastLine + 1) {
      this.heldLogs.push(chunk);
      this.fill(chunk.line);
      return;
    }
    this.deliver(chunk, 0, replay);
  }

  deliver(chunk, skipped, replay) {
    const known = Math.max(0, this.lastLine + 1 - chunk.line);
    if (known >= chunk.lines.length) return;
    this.lastLine = chunk.line + chunk.lines.length - 1;
    const fresh = known === 0 ? chunk
      : { ...chunk, line: chunk.line + known, lines: chunk.lines.slice(known) };
    this.call('onLog', fresh, { skipped, replay });
  }

  /** Takes in what time it was on the server. */
  tick(time) {
    const at = Date.parse(time);
    if (!Number.isFinite(at)) return;
    this.newest = Math.max(this.newest, at);
    this.offset = Math.min(this.offset, performance.now() - at);
  }

  /** How far a line is behind what is known of the job, in milliseconds; both times are the server's. */
  lag(t) {
    return Math.max(this.newest, performance.now() - this.offset) - t;
  }

  /**
   * The text comes later and later: it is written faster than it gets here. It is not read in full then, or its
   * reader would see old lines of a job that has long ended; the newest lines are asked for instead.
   */
  skip() {
    if (this.skipping || this.lastLine === null || performance.now() - this.skippedAt < SKIP_MS) return;
    this.skipping = true;
    this.skippedAt = performance.now();
    this.ask('job:logs', { id: this.id, tail: SKIP_LINES }, (ack) => {
      this.skipping = false;
      const chunk = ack.ok ? ack.log : null;
      if (chunk?.lines?.length) this.deliver(chunk, Math.max(0, chunk.line - this.lastLine - 1), true);
    });
  }

  /**
   * Fetches the lines before line `to`. A gap wider than one page is not read in full: its newest
   * page is, and onLog is told how many lines were skipped.
   */
  fill(to) {
    if (this.filling) return;
    this.filling = true;
    const from = this.lastLine;
    const after = Math.max(from, to - 1 - LOG_PAGE);
    this.ask('job:logs', { id: this.id, after, limit: LOG_PAGE }, (ack) => {
      this.filling = false;
      const chunk = ack.ok ? ack.log : null;
      if (chunk?.lines?.length && chunk.line + chunk.lines.length - 1 > this.lastLine) {
        this.emptyFills = 0;
        this.deliver(chunk, Math.max(0, chunk.line - this.lastLine - 1), true);
      } else {
        this.emptyFills++;
      }
      const held = this.heldLogs;
      this.heldLogs = [];
      for (const one of held) {
        // Lines that the server no longer has are gone; go on with what there is.
        if (this.emptyFills > 1) this.deliver(one, Math.max(0, one.line - this.lastLine - 1), false);
        else this.log(one, false);
      }
      if (this.heldLogs.length === 0) this.emptyFills = 0;
    });
  }
}

const noAnswer = Object.freeze({
  type: 'urn:jobs:problem:internal', title: 'The server gave no answer', status: 500, code: 'internal',
});

/**
 * Watches one job until `stop()`.
 *
 * @param socket   a socket of socket.io-client 4 on namespace `/jobs`, connected or not
 * @param id       the job's id
 * @param options  all optional:
 *   after       the seq that the page already holds (0: from the beginning)
 *   logs        true, `{tail: n}` or `{after: line}`; without it no log lines come
 *   onSnapshot  (job, {recovered, firstSeq, lastSeq}): after each subscribe, before its events.
 *               The snapshot already holds those events; `fold` ignores them.
 *               recovered false: forget what was known, this is the new state
 *   onEvent     (event, {replay}): each event once, in order
 *   onLog       (chunk, {skipped, replay}): each line once, in order; `skipped` lines before
 *               this chunk were too many to fetch, came too late, or are no longer stored
 *   onDone      (job): once, with the final snapshot
 *   onError     (problem): refused, for example `code: 'not_found'`
 * @returns `{stop(), last, job, lastLine}`; the last three are live
 */
export function watchJob(socket, id, options = {}) {
  const watch = new Watch(socket, id, options);
  return {
    stop: () => watch.stop(),
    get last() { return watch.last; },
    get job() { return watch.job; },
    get lastLine() { return watch.lastLine ?? 0; },
  };
}
