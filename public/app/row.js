// One row of the list of jobs.
import { attr, h, icon, text } from './dom.js';
import * as format from './format.js';
import { kindIcon, titleOf } from './kinds.js';
import { bar, drawBar, Eta } from './progress.js';

/** One job in the list. Built once, then only patched; onTag(tag) is called for a tag that is clicked. */
export function jobRow(first, onTag) {
  const name = titleOf(first);
  const eta = new Eta();
  const title = h('a', { class: 'row-title', href: `/jobs/${encodeURIComponent(first.id)}`, 'data-link': true, test: 'job-title', title: name }, name);
  const id = h('span', { class: 'row-id mono', title: first.id }, format.shortId(first.id));
  const chip = h('span', { class: 'chip', test: 'job-state' });
  const note = h('span', { class: 'row-note' });
  const line = bar(`Progress of ${name}, ${format.shortId(first.id)}`);
  const share = h('span', { class: 'row-percent num', test: 'job-percent' });
  const left = h('span', { class: 'row-eta num', test: 'job-eta' });
  const speed = h('span', { class: 'row-rate num' });
  const age = h('time', { class: 'row-age num', datetime: first.createdAt });
  const tags = first.tags?.length ? h('span', { class: 'row-tags' }, ...first.tags.map((tag) => h('button', { type: 'button', class: 'tag', title: `Show jobs with the tag ${tag}`, on: { click: () => onTag(tag) } }, tag))) : null;
  const node = h('li', { class: 'row', test: 'job-row', data: { id: first.id, kind: first.kind } },
    h('span', { class: 'row-icon', 'aria-hidden': 'true' }, icon(kindIcon(first.kind))),
    h('div', { class: 'row-what' }, h('div', { class: 'row-name' }, title, id, chip), note, tags),
    h('div', { class: 'row-progress' }, h('div', { class: 'row-figures' }, share, left), line),
    h('div', { class: 'row-when' }, age, speed));

  let drawn = null;
  return {
    node,
    draw(job, now) {
      if (job !== drawn) {
        const state = format.stateOf(job);
        attr(node, 'data-state', job.state);
        attr(node, 'data-warnings', job.warnings || null);
        attr(chip, 'data-state', state);
        text(chip, state);
        attr(chip, 'data-warnings', job.warnings || null);
        text(note, describe(job));
        text(share, format.percent(format.percentOf(job)) || (job.state === 'running' && job.progress ? format.amount(job.progress.done, job.progress.unit) : ''));
        text(speed, job.state === 'running' ? format.rate(job.progress?.rate, job.progress?.unit) : '');
        eta.update(job);
        drawn = job;
      }
      const words = eta.text(job, now.steady);
      text(left, words ? `${words} left` : ranFor(job));
      drawBar(line, job, words);
      text(age, format.ago(now.wall - Date.parse(job.createdAt)));
      attr(age, 'title', format.dateTime(job.createdAt));
    },
  };
}

function ranFor(job) {
  if (!job.finishedAt || !job.startedAt) return '';
  return `in ${format.took(Date.parse(job.finishedAt) - Date.parse(job.startedAt))}`;
}

/** One quiet line about a job: why it failed, what it does now, or how much it did. */
function describe(job) {
  const progress = job.progress;
  if (job.state === 'failed') return job.error?.message ?? '';
  if (job.state === 'completed' && job.warnings) return `Completed with ${format.plural(job.warnings, 'warning')}`;
  if (job.state === 'running') {
    const { step, message } = progress ?? {};
    const now = message || (step ? `Step ${step.index} of ${step.count}: ${step.name}` : '');
    return job.attempt > 1 ? [`Attempt ${job.attempt}`, now].filter(Boolean).join(' · ') : now;
  }
  if (job.state === 'queued') return 'Waiting for a worker';
  if (progress?.done) return format.amount(progress.done, progress.unit);
  return '';
}
