// The panel that starts a job: choose a kind, say on what, start.
import { demand, waitLine } from './demand.js';
import { attr, complain, h, icon, show, text } from './dom.js';
import { fileField } from './filefield.js';
import * as format from './format.js';

/** A key for one intention to start; sent again with a retry, it makes no second job. */
export function newKey() {
  // randomUUID needs a secure context; a page over plain HTTP in a local network has none.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

export function startPanel(app) {
  let kind = 'checksum';
  let key = newKey();
  let busy = false;
  let starting = null; // the start that waits for its answer

  const kinds = Object.entries(format.KINDS).filter(([, { about }]) => about).map(([value, about]) => h('label', { class: 'kind' },
    h('input', { type: 'radio', name: 'kind', value, checked: value === kind, on: { change: () => choose(value) } }),
    h('span', { class: 'kind-face' }, icon(about.icon), h('span', { class: 'kind-title' }, about.title), h('span', { class: 'kind-about' }, about.about))));

  const files = fileField({ onChange: () => { changed(); clearErrors(); draw(); }, onAgain: () => form.requestSubmit() });
  files.accept('.csv,.tsv,.txt,text/csv');

  const path = h('input', {
    type: 'text', id: 'start-path', name: 'path', test: 'path', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    'aria-describedby': 'start-path-hint start-path-error', on: { input: () => { changed(); setPathError(''); } },
  });
  const pathLabel = h('label', { for: 'start-path' });
  const pathHint = h('p', { class: 'hint', id: 'start-path-hint' });
  const pathError = h('p', { class: 'field-error', id: 'start-path-error', role: 'alert', hidden: true });
  const pathField = h('div', { class: 'field' }, pathLabel, path, pathHint, pathError);

  const formError = h('p', { class: 'form-error', role: 'alert', hidden: true });
  const waiting = waitLine(withdraw);
  const label = h('span', {}, 'Start job');
  const button = h('button', { type: 'submit', class: 'primary', test: 'start' }, label);
  const fold = h('button', { type: 'button', class: 'start-fold', 'aria-expanded': 'false', 'aria-controls': 'start-body', on: { click: () => open(fold.getAttribute('aria-expanded') !== 'true') } }, 'Start a job', icon('up'));

  const form = h('form', { class: 'card start', test: 'start-form', novalidate: true, 'aria-labelledby': 'start-title', on: { submit } },
    fold,
    h('div', { class: 'start-body', id: 'start-body' },
      h('h2', { id: 'start-title', class: 'card-title' }, 'Start a job'),
      h('div', { class: 'kinds', test: 'kind', role: 'radiogroup', 'aria-label': 'Kind of job' }, ...kinds),
      files.node, pathField, formError, button, waiting.node));

  /** On a narrow screen the form is folded, below the list; on a wide one this changes nothing to see. */
  function open(is) {
    form.classList.toggle('open', is);
    attr(fold, 'aria-expanded', String(is));
  }

  function setPathError(words) {
    complain(pathError, words);
    attr(path, 'aria-invalid', words ? 'true' : null);
  }

  function clearErrors() {
    setPathError('');
    files.error('');
    complain(formError, '');
  }

  /** What is asked for is another thing now, so it gets another key. */
  function changed() {
    key = newKey();
  }

  function choose(next) {
    kind = next;
    form.querySelector(`input[value="${CSS.escape(next)}"]`).checked = true;
    changed();
    clearErrors();
    draw();
  }

  function draw() {
    const csv = kind === 'csv.profile';
    show(files.node, csv);
    show(pathField, !(csv && files.file()));
    text(pathLabel, csv ? 'Or a path on the server' : 'Directory');
    attr(path, 'placeholder', csv ? 'data/orders.csv' : 'src');
    text(pathHint, csv ? 'A file inside one of the server’s roots.' : 'A directory inside one of the server’s roots. “.” is the first root.');
    button.disabled = busy;
    files.lock(busy);
    path.readOnly = busy;
    text(label, !busy ? 'Start job' : files.sending() ? 'Uploading…' : 'Starting…');
  }

  function setBusy(is) {
    busy = is;
    draw();
  }

  function submit(event) {
    event.preventDefault();
    if (busy) return;
    clearErrors();
    if (kind === 'csv.profile' && files.file()) {
      files.send((problem, name) => {
        if (problem) {
          setBusy(false);
          files.error(sentence(problem));
        } else start({ upload: name });
      });
      if (files.sending()) setBusy(true);
      return;
    }
    const value = path.value.trim();
    if (!value) {
      setPathError(kind === 'checksum' ? 'Which directory? “.” is the first root.' : 'Choose a file above, or name one on the server.');
      path.focus();
      return;
    }
    start({ path: value });
  }

  function start(args) {
    setBusy(true);
    starting = demand(app.socket, 'job:start', { kind, args, idempotencyKey: key, subscribe: false }, {
      onWait: waiting.show,
      done(ack) {
        setBusy(false);
        if (!ack.ok) return refuse(ack.error);
        changed();
        app.go(`/jobs/${encodeURIComponent(ack.job.id)}`);
      },
    });
  }

  function withdraw() {
    const asked = starting.withdraw();
    setBusy(false);
    // The key stays: if the job was made, the next start finds it.
    complain(formError, asked ? 'The server was asked already, so the job may have started. “Start job” does not start it twice.' : '');
    button.focus();
  }

  /** Shows a refusal where its reason is: at the field that the pointer names, else above the button. */
  function refuse(problem) {
    let rest = problem.errors?.length ? '' : sentence(problem);
    for (const { pointer, detail } of problem.errors ?? []) {
      if (pointer === '/args/path' && !pathField.hidden) setPathError(detail);
      else if ((pointer === '/args/upload' || pointer === '/args/path') && !files.node.hidden) files.error(detail);
      else rest = rest ? `${rest} ${detail}` : detail;
    }
    if (problem.code === 'not_found') files.forget();
    complain(formError, rest);
    form.querySelector('[aria-invalid=true]')?.focus();
  }

  draw();
  return {
    node: form,
    focus() {
      open(true);
      (kind === 'checksum' ? path : form.querySelector('input[type=radio]:checked')).focus();
    },
    /** Takes files that were dropped on the page, and with them the kind of job that reads one. */
    take([file, ...others], { directory }) {
      open(true);
      if (busy) return complain(formError, 'One start is under way. Drop the file when it is done.');
      if (kind !== 'csv.profile') choose('csv.profile');
      files.take(directory ? null : file);
      if (directory) files.error('A directory cannot be sent, only one file at a time.');
      else if (others.length) files.error(`One file at a time: ${file.name} was taken, and ${format.plural(others.length, 'other')} not.`);
      (directory ? files.input : button).focus();
    },
    stop() {
      starting?.withdraw();
      files.stop();
    },
  };
}

/** A problem in one sentence: its detail where it has one, its title otherwise. */
export function sentence(problem) {
  if (!problem) return 'Something went wrong.';
  if (!problem.detail) return problem.title;
  return problem.detail;
}
