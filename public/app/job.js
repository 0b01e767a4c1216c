// One job's own page: everything about it, live.
import { fold, isTerminal, watchJob } from '../jobs.js';
import { isLive, onLink } from './connection.js';
import { demand, waitLine } from './demand.js';
import { attr, complain, h, icon, painter, show, text } from './dom.js';
import * as format from './format.js';
import { kindTitle, onKinds, titleOf } from './kinds.js';
import { logPanel } from './log.js';
import { bar, Clock, drawBar, Eta } from './progress.js';
import { artifactNode, errorNode, json, resultNode } from './result.js';
import { newKey, sentence } from './start.js';
import { timelinePanel } from './timeline.js';

const GRACE_MS = 10000; // what the server gives a worker to stop

export function jobView(app, id) {
  let job = null;
  let missing = null; // the problem, when there is no such job
  let cancel = 'idle'; // idle, confirm, asked
  let cancelAt = null;
  let quarter = null; // the last quarter that was spoken
  let notice = '';
  let interrupted = ''; // how the attempt before this one ended, where it did not end by itself
  let asking = null; // the cancel, or the start of another one, that waits for its answer
  const eta = new Eta();
  const clock = new Clock(isLive);
  const timeline = timelinePanel();
  const log = logPanel(app, id);

  // ---- head
  const title = h('h1', { test: 'job-title' }, 'Job');
  const chip = h('span', { class: 'chip', test: 'job-state' });
  const fullId = h('span', { class: 'mono job-id' }, id);
  const copied = h('span', { class: 'copied', 'aria-live': 'polite' });
  const copy = h('button', { type: 'button', class: 'icon-button', 'aria-label': 'Copy the id', title: 'Copy the id', on: { click: copyId } }, icon('copy'));
  const subject = h('p', { class: 'job-subject mono' });

  // Each button exists once, and is shown or hidden as the cancel goes on.
  const cancelButton = h('button', { type: 'button', class: 'quiet danger', test: 'cancel', hidden: true, on: { click: () => stage('confirm') } }, 'Cancel job');
  const keep = h('button', { type: 'button', class: 'quiet', on: { click: () => stage('idle') } }, 'Keep it running');
  const sure = h('button', { type: 'button', class: 'primary danger', test: 'cancel-confirm', on: { click: sendCancel } }, 'Yes, cancel');
  const confirm = h('div', { class: 'confirm', role: 'group', 'aria-label': 'Cancel this job?', hidden: true, on: { keydown: (event) => { if (event.key === 'Escape') stage('idle'); } } },
    h('span', {}, 'Cancel this job?'), keep, sure);
  const cancelling = h('span', { class: 'cancelling num', hidden: true });
  const again = h('button', { type: 'button', class: 'quiet', test: 'again', hidden: true, on: { click: runAgain } }, icon('again'), 'Run again');
  const waiting = waitLine(withdraw);
  const alert = h('p', { class: 'form-error', role: 'alert', hidden: true });

  // ---- progress
  const share = h('span', { class: 'hero-percent num', test: 'job-percent' });
  const message = h('p', { class: 'hero-message' });
  const line = bar('Progress of this job');
  const restarted = h('p', { class: 'hero-note', test: 'job-restarted', hidden: true });
  const steps = h('div', { class: 'steps', hidden: true });
  const stepText = h('span', { class: 'steps-text' });
  const stepDots = h('span', { class: 'steps-dots', 'aria-hidden': 'true' });
  steps.append(stepDots, stepText);
  const figures = {
    done: figure('Done'), rate: figure('Rate'), eta: figure('Time left', 'job-eta'), took: figure('Running for'), attempt: figure('Attempt', 'job-attempt'),
  };
  const hero = h('section', { class: 'card hero', 'aria-label': 'Progress' },
    h('div', { class: 'hero-top' }, share, message), line, restarted, steps,
    h('dl', { class: 'figures' }, ...Object.values(figures).map((one) => one.node)));

  // ---- the rest
  const result = section('Result', { test: 'result' });
  const failure = section('Error', {});
  const artifacts = section('Files', {});
  const args = section('Input', {});
  const facts = h('dl', { class: 'facts' });
  const details = h('section', { class: 'card', 'aria-label': 'Details' }, h('h2', { class: 'card-title' }, 'Details'), facts);
  const body = h('div', { class: 'job', hidden: true },
    h('div', { class: 'job-head' },
      h('div', { class: 'job-names' }, h('div', { class: 'job-line' }, title, chip), subject, h('div', { class: 'job-idline' }, fullId, copy, copied)),
      h('div', { class: 'job-actions' }, cancelButton, confirm, cancelling, again, waiting.node)),
    alert, hero,
    h('div', { class: 'split' },
      h('div', { class: 'split-main stack' }, failure.node, result.node, log.node),
      h('aside', { class: 'split-side stack', 'aria-label': 'About this job' }, artifacts.node, timeline.node, args.node, details)));
  const loading = h('div', { class: 'skeleton tall', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
  const absentTitle = h('h1', {});
  const absentText = h('p', {});
  const absent = h('div', { class: 'empty absent', test: 'absent', hidden: true },
    h('div', { class: 'empty-art broken', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), absentTitle, absentText,
    h('p', { class: 'mono absent-id' }, id), h('a', { class: 'quiet', href: '/', 'data-link': true }, 'See all jobs'));
  const node = h('div', { class: 'job-page' },
    h('a', { class: 'crumb', href: app.listPath(), 'data-link': 'back' }, icon('back'), 'Jobs'), loading, absent, body);

  // ---- what comes from the server

  const seqs = [];
  window.jobcastSeqs = seqs; // the applied seq numbers in order, for end-to-end tests
  const watch = watchJob(app.socket, id, {
    logs: { tail: 200 },
    onSnapshot(snapshot, { recovered }) {
      if (!recovered) {
        seqs.length = 0;
        timeline.clear();
      }
      missing = null;
      setJob(snapshot);
    },
    onEvent(event) {
      seqs.push(event.seq);
      interrupted = interruption(event, interrupted);
      timeline.add(event, interrupted);
      setJob(fold(job, event));
    },
    onLog: (chunk, { skipped }) => log.add(chunk, skipped),
    onDone: setJob,
    onError(problem) {
      if (problem.code === 'not_found' || problem.code === 'bad_request' || problem.code === 'gone') missing = problem;
      else notice = sentence(problem);
      paint.mark();
    },
  });

  function setJob(next) {
    if (!next || (job && next.seq < job.seq)) return;
    const before = job;
    job = next;
    eta.update(job);
    if (job.log) log.info(job.log);
    if ((isTerminal(job.state) || job.cancelRequested) && !asking) cancel = 'idle';
    if (job.cancelRequested && cancelAt === null) cancelAt = performance.now();
    speak(before);
    paint.mark();
  }

  /** Speaks at the start, at each quarter and at the end; never for every update. */
  function speak(before) {
    const name = titleOf(job);
    const now = Math.floor((format.percentOf(job) ?? 0) / 25);
    if (!before) app.say(`${name} is ${format.stateOf(job)}.`);
    else if (before.attempt < job.attempt && interrupted) app.say(`${interrupted}.`);
    else if (before.state !== job.state) app.say(job.state === 'running' ? `${name} started.` : `${name}: ${format.outcome(job)}.`);
    else if (!before.cancelRequested && job.cancelRequested) app.say(`${name} is cancelling.`);
    else if (quarter !== null && now > quarter && job.state === 'running') app.say(`${name}: ${now * 25} percent.`);
    quarter = now;
  }

  // ---- actions

  function stage(next) {
    cancel = next;
    draw();
    if (next === 'confirm') sure.focus();
    else if (!cancelButton.hidden) cancelButton.focus();
  }

  function sendCancel() {
    cancel = 'asked';
    asking = demand(app.socket, 'job:cancel', { id, reason: 'cancelled on the page', graceMs: GRACE_MS }, {
      onWait,
      done(ack) {
        asking = null;
        if (cancel === 'asked') cancel = 'idle';
        if (!ack.ok) notice = sentence(ack.error);
        else {
          if (ack.outcome === 'already_finished') notice = 'The job had already finished.';
          if (ack.outcome === 'cancelling') cancelAt ??= performance.now();
          // Only the flag is taken from here: the events that led to the snapshot are on their way.
          if (ack.outcome === 'cancelling' && job && !isTerminal(job.state)) job = { ...job, cancelRequested: true };
        }
        paint.mark();
      },
    });
    draw();
  }

  let againKey = newKey();
  function runAgain() {
    asking = demand(app.socket, 'job:start', { kind: job.kind, args: job.args, idempotencyKey: againKey, subscribe: false }, {
      onWait,
      done(ack) {
        asking = null;
        if (ack.ok) return app.go(`/jobs/${encodeURIComponent(ack.job.id)}`);
        notice = sentence(ack.error?.errors?.length ? { title: ack.error.errors.map((one) => one.detail).join(' ') } : ack.error);
        paint.mark();
      },
    });
    draw();
  }

  function onWait(is) {
    waiting.show(is);
    if (is) notice = '';
    paint.mark();
  }

  /** The person stops waiting for the server: what it was not asked for yet, it will not be asked for. */
  function withdraw() {
    const asked = asking.withdraw();
    asking = null;
    if (asked) notice = cancel === 'asked' ? 'The server was asked already, so the job may yet be cancelled.' : 'The server was asked already, so the job may have started. “Run again” does not start it twice.';
    cancel = 'idle';
    draw();
  }

  async function copyId() {
    try {
      await navigator.clipboard.writeText(id);
      text(copied, 'Copied');
    } catch {
      getSelection().selectAllChildren(fullId);
      text(copied, 'Selected');
    }
    setTimeout(() => text(copied, ''), 1500);
  }

  // ---- drawing

  let drawn = null;
  function draw() {
    show(loading, !job && !missing);
    show(absent, missing);
    if (body.hidden && job && !missing) log.refresh(); // a hidden log cannot be scrolled
    show(body, job && !missing);
    if (missing) return drawMissing();
    if (!job) return;
    const now = clock.now();
    if (job !== drawn) drawJob(drawn);
    drawn = job;
    timeline.draw();
    drawClocks(now);
    drawCancel(now);
    complain(alert, notice);
  }

  function drawMissing() {
    const gone = missing.code === 'gone';
    app.title('No such job');
    text(absentTitle, missing.code === 'bad_request' ? 'That is not a job’s id' : gone ? 'This job is no longer kept' : 'There is no job here');
    text(absentText, missing.code === 'bad_request' ? 'An id has only letters, digits, “-” and “_”, at most 64 of them.'
      : 'It may have been removed, or the link is cut short. This is the id that was asked for:');
  }

  function drawJob(before) {
    const { progress } = job;
    const name = titleOf(job);
    const state = format.stateOf(job);
    const percent = format.percentOf(job);
    const over = isTerminal(job.state);
    text(title, name);
    text(chip, format.outcome(job));
    attr(chip, 'data-state', state);
    for (const one of [chip, hero]) attr(one, 'data-warnings', job.warnings || null);
    attr(hero, 'data-state', state);
    attr(node, 'data-state', job.state);
    text(subject, format.subject(job.args));
    show(subject, !job.title && subject.textContent);
    app.title(`${job.state === 'running' && percent !== null ? `${format.percent(percent)} · ` : over ? `${format.outcome(job)} · ` : ''}${name}`);

    text(share, format.percent(percent, 1) || (job.state === 'running' ? 'Working…' : job.state === 'queued' ? 'Waiting…' : '–'));
    text(message, describe(job));
    drawStep(progress?.step, job.state === 'completed');
    const done = progress ? format.amount(progress.done ?? 0, progress.unit) : '–';
    figures.done.set(progress?.total && !over ? `${done} of ${format.amount(progress.total, progress.unit)}` : done);
    const rate = over ? average(job) : format.rate(progress?.rate, progress?.unit) || '–';
    figures.rate.set(rate, over ? 'Average' : 'Rate');
    show(figures.rate.node, rate);
    figures.attempt.set(attempts(job));
    show(figures.attempt.node, job.attempt > 1);
    text(restarted, over ? '' : interrupted || (job.attempt > 1 ? `Attempt ${job.attempt}` : ''));
    show(restarted, restarted.textContent);

    if (!before || before.result !== job.result) result.fill(job.result === undefined || job.result === null ? null : resultNode(job.kind, job.result));
    if (!before || before.error !== job.error || before.state !== job.state) failure.fill(job.error && job.state !== 'completed' ? errorNode(job.error) : null);
    if (!before || before.artifacts !== job.artifacts) artifacts.fill(job.artifacts?.length ? h('ul', { class: 'files' }, ...job.artifacts.map(artifactNode)) : null);
    if (!before || before.args !== job.args) args.fill(job.args === undefined ? null : json(job.args));
    if (over) log.ended();
    if (!before || before.state !== job.state || before.worker !== job.worker || before.attempt !== job.attempt) drawFacts();
  }

  function drawStep(step, complete) {
    show(steps, step);
    if (!step) return;
    text(stepText, complete ? `${step.count} of ${step.count} steps done` : `Step ${step.index} of ${step.count}: ${step.name}`);
    const dots = Math.min(step.count, 24);
    while (stepDots.childElementCount < dots) stepDots.append(h('i'));
    while (stepDots.childElementCount > dots) stepDots.lastElementChild.remove();
    [...stepDots.children].forEach((dot, i) => {
      dot.className = complete || i + 1 < step.index ? 'past' : i + 1 === step.index ? 'now' : '';
    });
  }

  function drawFacts() {
    const pairs = [['Kind', kindTitle(job.kind)], ['Queue', job.queue], ['Worker', job.worker, 'mono'], ['Created', job.createdAt && format.dateTime(job.createdAt)],
      ['Started', job.startedAt && format.dateTime(job.startedAt)], ['Finished', job.finishedAt && format.dateTime(job.finishedAt)], ['Tags', job.tags?.join(', ')]];
    facts.replaceChildren(...pairs.filter(([, value]) => value).map(([name, value, style]) => h('div', {}, h('dt', {}, name), h('dd', { class: style ?? 'num' }, value))));
  }

  function drawClocks(now) {
    const over = isTerminal(job.state);
    const left = eta.text(job, now.steady);
    figures.eta.set(over ? '–' : left || (job.state === 'running' && !job.cancelRequested ? 'Estimating…' : '–'));
    show(figures.eta.node, !over);
    const from = Date.parse(job.startedAt ?? job.createdAt);
    const to = over ? Date.parse(job.finishedAt ?? job.createdAt) : now.wall;
    figures.took.set((over ? format.took : format.duration)(Math.max(0, to - from)), over ? 'Took' : job.state === 'running' ? 'Running for' : 'Waiting for');
    drawBar(line, job, left);
  }

  function drawCancel(now) {
    const active = !isTerminal(job.state);
    const open = active && !job.cancelRequested;
    show(cancelButton, open && cancel === 'idle');
    show(confirm, open && cancel !== 'idle' && waiting.node.hidden);
    sure.disabled = cancel === 'asked';
    keep.disabled = cancel === 'asked';
    show(cancelling, active && job.cancelRequested);
    const rest = cancelAt === null ? 0 : GRACE_MS - (now.steady - cancelAt);
    text(cancelling, rest > 500 ? `Cancelling… at most ${Math.ceil(rest / 1000)} s` : 'Cancelling…');
    show(again, !active && job.args !== undefined && waiting.node.hidden);
    again.disabled = asking !== null;
  }

  const paint = painter(draw);
  const ticking = setInterval(() => { if (isLive() && job && !isTerminal(job.state)) paint.mark(); }, 1000);
  const unlink = onLink(() => paint.mark());
  const unlearn = onKinds(() => {
    if (job) drawFacts();
    paint.mark();
  });
  app.title('Job');

  return {
    node,
    stop() {
      asking?.withdraw();
      watch.stop();
      clearInterval(ticking);
      unlink();
      unlearn();
      paint.stop();
      log.stop();
      delete window.jobcastSeqs;
    },
  };
}

function figure(name, test) {
  const label = h('dt', {}, name);
  const value = h('dd', { class: 'num', test });
  return {
    node: h('div', { class: 'figure' }, label, value),
    set(words, other) {
      text(value, words);
      if (other) text(label, other);
    },
  };
}

/** A card that is there only while it has something in it. */
function section(name, { test }) {
  const inner = h('div', { test });
  const node = h('section', { class: 'card', 'aria-label': name, hidden: true }, h('h2', { class: 'card-title' }, name), inner);
  return {
    node,
    fill(child) {
      inner.replaceChildren(...(child ? [child] : []));
      show(node, child);
    },
  };
}

/** What a job did in a second; nothing for a job that took less than one, which would be a guess. */
function average(job) {
  const ms = Date.parse(job.finishedAt) - Date.parse(job.startedAt);
  const done = job.progress?.done;
  return ms >= 1000 && done ? format.rate((1000 * done) / ms, job.progress.unit) : '';
}

const RETRIED = 'It is tried again';

/** What has come between this attempt and the one before it, in words, after one more event; '' where nothing has. */
function interruption(event, before) {
  if (event.type === 'job.retrying') return RETRIED;
  if (event.type === 'job.queued' && event.data?.reason) return 'The server stopped; the job waits to begin again';
  if (event.type !== 'job.started') return before;
  if (event.attempt > 1) return `${before === RETRIED ? RETRIED : 'The server restarted'}; attempt ${event.attempt}`;
  return before ? 'The server restarted; the job began again' : '';
}

function describe(job) {
  if (job.state === 'queued') return 'In the queue, a worker will take it soon.';
  if (job.state === 'scheduled') return job.runAt ? `Will run at ${format.dateTime(job.runAt)}.` : 'Scheduled.';
  if (job.state === 'completed') return job.warnings ? `Finished with ${format.plural(job.warnings, 'warning')}; the log names what could not be done.` : 'Finished without an error.';
  if (job.state === 'failed') return 'It did not get to its end.';
  if (job.state === 'cancelled') return 'It was stopped before its end.';
  if (job.cancelRequested) return 'Asked to stop; the worker is finishing what it holds.';
  return job.progress?.message ?? '';
}

/** Which attempt a job is at, of how many, and how many of them were lost with their server. */
function attempts({ attempt, maxAttempts, lost = 0 }) {
  const of = maxAttempts > 1 ? ` of ${maxAttempts + lost}` : "";
  return `${attempt}${of}${lost ? ` (${lost} lost)` : ""}`;
}
