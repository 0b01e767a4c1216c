// A job's events in order. A run of progress events is one line that opens.
import { h, text } from './dom.js';
import * as format from './format.js';

export function timelinePanel() {
  let waiting = [];
  let group = null; // the run of progress events at the end
  let number = 0;

  const list = h('ol', { class: 'timeline', test: 'timeline' });
  const total = h('span', { class: 'card-note num' });
  const node = h('section', { class: 'card', 'aria-labelledby': 'timeline-title' },
    h('div', { class: 'card-head' }, h('h2', { id: 'timeline-title', class: 'card-title' }, 'Timeline'), total), list);

  function draw() {
    for (const { event, interrupted } of waiting) {
      number++;
      if (event.type === 'job.progress') addProgress(event);
      else {
        if (group) drawGroup(group);
        group = null;
        list.append(row(event, interrupted));
      }
    }
    waiting = [];
    if (group) drawGroup(group);
    text(total, number ? format.plural(number, 'event') : '');
  }

  function addProgress(event) {
    if (!group) {
      const words = h('span', {});
      const time = h('span', { class: 'tl-time num' });
      const events = h('ol', { class: 'tl-inner' });
      const item = h('li', { class: 'tl-group', data: { type: 'progress' } },
        h('details', {}, h('summary', {}, h('span', { class: 'tl-text' }, words), time), events));
      list.append(item);
      group = { words, time, events, first: event, count: 0 };
    }
    group.last = event;
    group.count++;
    group.events.append(h('li', { test: 'event', data: { seq: event.seq, type: 'progress' } },
      h('span', { class: 'tl-text' }, progressWords(event.data)), h('span', { class: 'tl-time num' }, format.timeOfDay(event.time))));
  }

  return {
    node,
    /** interrupted says what came between this attempt and the one before it. */
    add(event, interrupted) { waiting.push({ event, interrupted }); },
    clear() {
      waiting = [];
      group = null;
      number = 0;
      list.replaceChildren();
    },
    draw,
  };
}

function drawGroup(group) {
  const from = share(group.first.data);
  const to = share(group.last.data);
  const range = from && to && from !== to ? `${from} to ${to}` : to;
  text(group.words, `${format.plural(group.count, 'update')}${range ? `, ${range}` : ''}`);
  text(group.time, format.timeOfDay(group.last.time));
}

const share = (progress) => (Number.isFinite(progress?.percent) ? format.percent(progress.percent) : '');

function progressWords(progress) {
  const done = format.amount(progress.done ?? 0, progress.unit);
  return share(progress) ? `${share(progress)} · ${done}` : done;
}

function row(event, interrupted) {
  const { title, detail } = words(event, interrupted);
  return h('li', { test: 'event', data: { seq: event.seq, type: event.type.slice(4) } },
    h('span', { class: 'tl-text' }, title, detail ? h('span', { class: 'tl-detail' }, detail) : null),
    h('time', { class: 'tl-time num', datetime: event.time, title: format.dateTime(event.time) }, format.timeOfDay(event.time)));
}

function words(event, interrupted) {
  const data = event.data ?? {};
  switch (event.type) {
    case 'job.queued': return { title: event.seq === 1 ? 'Queued' : 'Queued again', detail: data.reason };
    case 'job.started': return { title: interrupted || 'Started', detail: data.worker };
    case 'job.step': {
      const step = data.step ?? data;
      return { title: step.name ?? 'Next step', detail: step.count ? `Step ${step.index} of ${step.count}` : '' };
    }
    case 'job.cancelling': return { title: 'Cancel requested', detail: data.reason };
    case 'job.retrying': return { title: 'Will try again', detail: data.error?.message };
    case 'job.stalled': return { title: 'No sign of life from the worker' };
    case 'job.event': return { title: data.name, detail: data.payload === undefined ? '' : JSON.stringify(data.payload).slice(0, 200) };
    case 'job.completed': return { title: 'Completed' };
    case 'job.failed': return { title: 'Failed', detail: data.error?.message };
    case 'job.cancelled': return { title: 'Cancelled', detail: data.reason };
    default: return { title: event.type.slice(4) };
  }
}
