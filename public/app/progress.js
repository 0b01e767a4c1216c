// A progress bar and the figures beside it, drawn the same way in the list and on a job's page.
import { isTerminal } from '../jobs.js';
import { attr, h } from './dom.js';
import * as format from './format.js';

export function bar(label) {
  return h('div', { class: 'bar', role: 'progressbar', test: 'job-bar', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('div', { class: 'bar-fill' }));
}

/** Draws a job's bar: a share, or movement without a share while nobody knows the total. */
export function drawBar(node, job, eta) {
  const share = format.percentOf(job);
  const state = format.stateOf(job);
  const moving = share === null && job.state === 'running';
  attr(node, 'data-state', state);
  attr(node, 'data-warnings', job.warnings || null);
  node.classList.toggle('moving', moving);
  node.firstChild.style.setProperty('--done', `${share ?? 0}%`);
  attr(node, 'aria-valuenow', share === null ? null : Math.floor(share));
  const words = [state];
  if (share !== null && !isTerminal(job.state)) words.unshift(format.percent(share));
  else if (moving && job.progress?.done) words.unshift(format.amount(job.progress.done, job.progress.unit));
  if (eta) words.push(`${eta} left`);
  attr(node, 'aria-valuetext', words.join(', '));
}

/**
 * Counts a job's ETA down between two updates, from the moment that it was received: the time of the event is by the
 * server's clock, which may differ from the page's.
 */
export class Eta {
  constructor() {
    this.etaMs = null;
    this.seq = 0;
    this.at = 0;
  }

  update(job) {
    if (job.seq === this.seq) return;
    this.seq = job.seq;
    this.etaMs = job.progress?.etaMs ?? null;
    this.at = performance.now();
  }

  /** The words, or '' where there is nothing to say; `now` stands still while offline. */
  text(job, now) {
    if (job.state !== 'running' || job.cancelRequested || this.etaMs === null) return '';
    return format.duration(Math.max(1000, this.etaMs - Math.max(0, now - this.at)));
  }
}

/** A clock that stops while there is no connection, so that nobody takes old figures for new ones. */
export class Clock {
  constructor(isLive) {
    this.isLive = isLive;
    this.stoppedAt = null;
  }

  read(now, live) {
    if (live) this.stoppedAt = null;
    else if (this.stoppedAt === null) this.stoppedAt = now;
    return this.stoppedAt ?? now;
  }

  /** {steady: for differences on this page, wall: for times from the server} */
  now() {
    const steady = this.read(performance.now(), this.isLive());
    return { steady, wall: Date.now() - (performance.now() - steady) };
  }
}
