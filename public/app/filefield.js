// The field for one file: chosen or dropped, sent to the server, and sent once more after a cut.
import { attr, complain, h, icon, painter, show, text } from './dom.js';
import * as format from './format.js';
import { upload } from './upload.js';

let number = 0; // makes the ids of each field unique

/** onChange is called when there is another file, or none any more; onAgain where a cut one is to be sent again. */
export function fileField({ label, onChange, onAgain }) {
  let file = null;
  let uploaded = null; // the server's answer for `file`, kept so that a retry does not send it again
  let abort = null;
  let cut = false;
  let locked = false;
  let sent = { loaded: 0, total: 0 };
  const id = `start-file-${number++}`;

  // A native file input lies over the whole zone, so that a click anywhere on it chooses.
  const input = h('input', { type: 'file', id, test: 'file', 'aria-describedby': `${id}-error`, on: { change: () => pick(input.files[0] ?? null) } });
  const title = h('span', { class: 'zone-title' });
  const note = h('span', { class: 'zone-note' });
  const zone = h('div', { class: 'zone' }, input, h('span', { class: 'zone-face', 'aria-hidden': 'true' }, icon('upload'), title, note));
  const unpick = h('button', { type: 'button', class: 'text-button', on: { click: () => { pick(null); input.focus(); } } }, 'Remove the file');
  const problem = h('p', { class: 'field-error', id: `${id}-error`, role: 'alert', hidden: true });
  const bar = h('div', { class: 'bar', role: 'progressbar', 'aria-label': 'Upload', 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('div', { class: 'bar-fill' }));
  const sentText = h('span', { class: 'num' });
  const stop = h('button', { type: 'button', class: 'text-button', on: { click: () => abort?.() } }, 'Stop');
  const again = h('button', { type: 'button', class: 'text-button', test: 'upload-again', on: { click: onAgain } }, 'Send it again');
  const sending = h('div', { class: 'sending', hidden: true }, h('div', { class: 'sending-head' }, sentText, stop, again), bar);
  const node = h('div', { class: 'field' }, h('div', { class: 'field-head' }, h('label', { for: id }, label), unpick), zone, sending, problem);

  const drawSent = painter(() => {
    const share = sent.total ? (100 * sent.loaded) / sent.total : 0;
    const words = `${format.bytes(sent.loaded)} of ${format.bytes(sent.total)}`;
    text(sentText, cut ? `Cut off after ${words}` : `Uploading ${words}`);
    bar.firstChild.style.setProperty('--done', `${share}%`);
    attr(bar, 'data-state', cut ? 'failed' : 'running');
    attr(bar, 'aria-valuenow', Math.floor(share));
  });

  function pick(next) {
    if (!next) input.value = '';
    file = next;
    uploaded = null;
    cut = false;
    error('');
    draw();
    onChange();
  }

  function error(words) {
    complain(problem, words);
    attr(input, 'aria-invalid', words ? 'true' : null);
  }

  function draw() {
    zone.classList.toggle('filled', Boolean(file));
    text(title, file ? file.name : 'Drop a file anywhere on this page');
    text(note, file ? format.bytes(file.size) : 'or click to choose one');
    show(unpick, file && !locked);
    show(sending, abort || cut);
    show(stop, abort);
    show(again, cut);
    input.disabled = locked;
  }

  draw();
  return {
    node,
    input,
    error,
    file: () => file,
    sending: () => abort !== null,
    take: pick,
    accept: (types) => attr(input, 'accept', types),
    /** Whether a file is one of those, by its name. */
    accepts: (one) => !input.accept || input.accept.split(',').some((type) => (type.startsWith('.') ? one.name.toLowerCase().endsWith(type) : one.type === type)),
    /** No other file can be chosen meanwhile. */
    lock(is) {
      locked = is;
      draw();
    },
    /** Forgets the upload: the server has it no longer. */
    forget() { uploaded = null; },
    /** Calls done(problem, name of the upload) when the server has the file, which may be at once. */
    send(done) {
      if (uploaded) return done(null, uploaded.upload);
      cut = false;
      error('');
      sent = { loaded: 0, total: file.size };
      abort = upload(file, (loaded, total) => {
        sent = { loaded, total };
        drawSent.mark();
      }, (problem, answer) => {
        abort = null;
        cut = problem?.status === 0;
        uploaded = answer ?? null;
        draw();
        drawSent.mark();
        done(problem, answer?.upload);
      });
      drawSent.mark();
      draw();
    },
    stop() {
      abort?.();
      drawSent.stop();
    },
  };
}
