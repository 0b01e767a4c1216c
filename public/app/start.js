// The panel that starts a job: choose a kind, say on what, start.
import { ask } from './connection.js';
import { attr, complain, h, icon, painter, show, text } from './dom.js';
import * as format from './format.js';
import { upload } from './upload.js';

/** A key for one intention to start; sent again with a retry, it makes no second job. */
export function newKey() {
  // randomUUID needs a secure context; a page over plain HTTP in a local network has none.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

export function startPanel(app) {
  let kind = 'checksum';
  let file = null;
  let uploaded = null; // the answer for `file`, kept so that a retry does not send it again
  let key = newKey();
  let busy = false;
  let abort = null;
  let sent = { loaded: 0, total: 0 };

  const kinds = Object.entries(format.KINDS).filter(([, { about }]) => about).map(([value, about]) => h('label', { class: 'kind' },
    h('input', { type: 'radio', name: 'kind', value, checked: value === kind, on: { change: () => choose(value) } }),
    h('span', { class: 'kind-face' }, icon(about.icon), h('span', { class: 'kind-title' }, about.title), h('span', { class: 'kind-about' }, about.about))));

  // A native file input lies over the whole drop zone: dropping a file needs no script.
  const fileInput = h('input', {
    type: 'file', id: 'start-file', test: 'file', accept: '.csv,.tsv,.txt,text/csv', 'aria-describedby': 'start-file-error',
    on: { change: () => pick(fileInput.files[0] ?? null), dragenter: () => zone.classList.add('over'), dragleave: () => zone.classList.remove('over'), drop: () => zone.classList.remove('over') },
  });
  const zoneTitle = h('span', { class: 'zone-title' });
  const zoneNote = h('span', { class: 'zone-note' });
  const zone = h('div', { class: 'zone' }, fileInput, h('span', { class: 'zone-face', 'aria-hidden': 'true' }, icon('upload'), zoneTitle, zoneNote));
  const unpick = h('button', { type: 'button', class: 'text-button', on: { click: () => { fileInput.value = ''; pick(null); path.focus(); } } }, 'Remove the file');
  const fileError = errorLine('start-file-error');
  const fileField = h('div', { class: 'field' },
    h('div', { class: 'field-head' }, h('label', { for: 'start-file' }, 'File'), unpick), zone, fileError);

  const path = h('input', {
    type: 'text', id: 'start-path', name: 'path', test: 'path', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    'aria-describedby': 'start-path-hint start-path-error', on: { input: () => { changed(); setError(path, pathError, ''); } },
  });
  const pathLabel = h('label', { for: 'start-path' });
  const pathHint = h('p', { class: 'hint', id: 'start-path-hint' });
  const pathError = errorLine('start-path-error');
  const pathField = h('div', { class: 'field' }, pathLabel, path, pathHint, pathError);

  const formError = h('p', { class: 'form-error', role: 'alert', hidden: true });
  const sentBar = h('div', { class: 'bar', role: 'progressbar', 'aria-label': 'Upload', 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('div', { class: 'bar-fill' }));
  const sentText = h('span', { class: 'num' });
  const stop = h('button', { type: 'button', class: 'text-button', on: { click: () => abort?.() } }, 'Stop');
  const sending = h('div', { class: 'sending', hidden: true }, h('div', { class: 'sending-head' }, sentText, stop), sentBar);
  const label = h('span', {}, 'Start job');
  const button = h('button', { type: 'submit', class: 'primary', test: 'start' }, label);

  const form = h('form', { class: 'card start', test: 'start-form', novalidate: true, 'aria-labelledby': 'start-title', on: { submit } },
    h('h2', { id: 'start-title', class: 'card-title' }, 'Start a job'),
    h('div', { class: 'kinds', test: 'kind', role: 'radiogroup', 'aria-label': 'Kind of job' }, ...kinds),
    fileField, pathField, sending, formError, button);

  const drawSent = painter(() => {
    const share = sent.total ? (100 * sent.loaded) / sent.total : 0;
    text(sentText, `Uploading ${format.bytes(sent.loaded)} of ${format.bytes(sent.total)}`);
    sentBar.firstChild.style.setProperty('--done', `${share}%`);
    attr(sentBar, 'aria-valuenow', Math.floor(share));
  });

  function errorLine(id) {
    return h('p', { class: 'field-error', id, role: 'alert', hidden: true });
  }

  function setError(input, line, message) {
    complain(line, message);
    attr(input, 'aria-invalid', message ? 'true' : null);
  }

  function clearErrors() {
    setError(path, pathError, '');
    setError(fileInput, fileError, '');
    complain(formError, '');
  }

  /** What is asked for is another thing now, so it gets another key. */
  function changed() {
    key = newKey();
  }

  function choose(next) {
    kind = next;
    changed();
    clearErrors();
    draw();
  }

  function pick(next) {
    zone.classList.remove('over');
    file = next;
    uploaded = null;
    changed();
    clearErrors();
    draw();
  }

  function draw() {
    const csv = kind === 'csv.profile';
    show(fileField, csv);
    show(unpick, csv && file && !busy);
    show(pathField, !(csv && file));
    zone.classList.toggle('filled', Boolean(file));
    text(zoneTitle, file ? file.name : 'Drop a CSV file here');
    text(zoneNote, file ? format.bytes(file.size) : 'or click to choose one');
    text(pathLabel, csv ? 'Or a path on the server' : 'Directory');
    attr(path, 'placeholder', csv ? 'data/orders.csv' : 'src');
    text(pathHint, csv ? 'A file inside one of the server’s roots.' : 'A directory inside one of the server’s roots. “.” is the first root.');
    show(sending, busy && abort);
    button.disabled = busy;
    fileInput.disabled = busy;
    path.readOnly = busy;
    text(label, !busy ? 'Start job' : abort ? 'Uploading…' : 'Starting…');
  }

  function submit(event) {
    event.preventDefault();
    if (busy) return;
    clearErrors();
    const value = path.value.trim();
    if (kind === 'csv.profile' && file) return uploaded ? start({ upload: uploaded.upload }) : send();
    if (!value) {
      setError(path, pathError, kind === 'checksum' ? 'Which directory? “.” is the first root.' : 'Choose a file above, or name one on the server.');
      path.focus();
      return;
    }
    start({ path: value });
  }

  function send() {
    busy = true;
    sent = { loaded: 0, total: file.size };
    abort = upload(file, (loaded, total) => {
      sent = { loaded, total };
      drawSent.mark();
    }, (problem, answer) => {
      abort = null;
      busy = false;
      draw();
      if (problem) {
        setError(fileInput, fileError, sentence(problem));
        return;
      }
      uploaded = answer;
      start({ upload: answer.upload });
    });
    drawSent.mark();
    draw();
  }

  function start(args) {
    busy = true;
    draw();
    ask(app.socket, 'job:start', { kind, args, idempotencyKey: key, subscribe: false }, (ack) => {
      busy = false;
      draw();
      if (ack.ok) {
        changed();
        app.go(`/jobs/${encodeURIComponent(ack.job.id)}`);
        return;
      }
      refuse(ack.error);
    });
  }

  /** Shows a refusal where its reason is: at the field that the pointer names, else above the button. */
  function refuse(problem) {
    let rest = problem.errors?.length ? '' : sentence(problem);
    for (const { pointer, detail } of problem.errors ?? []) {
      if (pointer === '/args/path' && !pathField.hidden) setError(path, pathError, detail);
      else if ((pointer === '/args/upload' || pointer === '/args/path') && !fileField.hidden) setError(fileInput, fileError, detail);
      else rest = rest ? `${rest} ${detail}` : detail;
    }
    if (problem.code === 'not_found' && uploaded) uploaded = null;
    complain(formError, rest);
    form.querySelector('[aria-invalid=true]')?.focus();
  }

  draw();
  return {
    node: form,
    focus: () => (kind === 'checksum' ? path : form.querySelector('input[type=radio]:checked')).focus(),
    stop() {
      abort?.();
      drawSent.stop();
    },
  };
}

/** A problem in one sentence: its detail where it has one, its title otherwise. */
export function sentence(problem) {
  if (!problem) return 'Something went wrong.';
  if (!problem.detail) return problem.title;
  return problem.detail;
}
