// The panel that starts a job: choose a kind, fill in its arguments, start. The server describes the kinds.
import { demand, waitLine } from './demand.js';
import { attr, complain, h, icon, show, text } from './dom.js';
import { fieldsOf } from './fields.js';
import * as format from './format.js';
import { allKinds, kindIcon, onKinds } from './kinds.js';

const CARDS = 8; // kinds that are shown as cards; more of them are a list to choose from

/** A key for one intention to start; sent again with a retry, it makes no second job. */
export function newKey() {
  // randomUUID needs a secure context; a page over plain HTTP in a local network has none.
  return format.hex(crypto.getRandomValues(new Uint8Array(16)));
}

export function startPanel(app) {
  let kind = null; // one of the server's kinds
  let fields = null; // those of its arguments
  const drafts = new Map(); // schema -> fields, so that what was typed for one kind survives a look at another
  let key = newKey();
  let busy = false;
  let wanted = null; // what was asked of the form before the kinds were known
  let starting = null; // the start that waits for its answer

  const chooser = h('div', { class: 'chooser' });
  const place = h('div', { class: 'start-fields' });
  const title = h('input', { type: 'text', id: 'start-title-field', test: 'title', autocomplete: 'off', maxlength: '200', on: { input: changed } });
  const tags = h('input', { type: 'text', id: 'start-tags', test: 'tags', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': 'start-tags-hint', on: { input: changed } });
  const more = h('details', { class: 'start-more' }, h('summary', {}, 'Title and tags'),
    h('div', { class: 'field' }, h('label', { for: 'start-title-field' }, 'Title'), title),
    h('div', { class: 'field' }, h('label', { for: 'start-tags' }, 'Tags'), tags, h('p', { class: 'hint', id: 'start-tags-hint' }, 'With commas between them. The list can be narrowed to a tag.')));
  const formError = h('p', { class: 'form-error', role: 'alert', hidden: true });
  const waiting = waitLine(withdraw);
  const label = h('span', {}, 'Start job');
  const button = h('button', { type: 'submit', class: 'primary', test: 'start', disabled: true }, label);
  const fold = h('button', { type: 'button', class: 'start-fold', 'aria-expanded': 'false', 'aria-controls': 'start-body', on: { click: () => open(fold.getAttribute('aria-expanded') !== 'true') } }, 'Start a job', icon('up'));

  const form = h('form', { class: 'card start', test: 'start-form', novalidate: true, 'aria-labelledby': 'start-title', on: { submit } },
    fold,
    h('div', { class: 'start-body', id: 'start-body' },
      h('h2', { id: 'start-title', class: 'card-title' }, 'Start a job'),
      chooser, place, more, formError, button, waiting.node));

  /** Opens or folds the form on a narrow screen, where it stands below the list. A wide one always shows it. */
  function open(is) {
    form.classList.toggle('open', is);
    attr(fold, 'aria-expanded', String(is));
  }

  function clearErrors() {
    fields?.clear();
    complain(formError, '');
  }

  /** The request has changed, so it gets another key. */
  function changed() {
    key = newKey();
  }

  // ---- the kinds

  function learn() {
    const all = allKinds();
    if (all.length === 0) return;
    const same = all.find((one) => one.name === kind?.name);
    chooser.replaceChildren(all.length > CARDS ? list(all) : cards(all));
    if (!same || JSON.stringify(same) !== JSON.stringify(kind)) choose((same ?? all[0]).name);
    else mark();
    const then = wanted;
    wanted = null;
    then?.();
  }

  const cards = (all) => h('div', { class: 'kinds', test: 'kind', role: 'radiogroup', 'aria-label': 'Kind of job' }, ...all.map(({ name, title: words, sentence: about }) => h('label', { class: 'kind' },
    h('input', { type: 'radio', name: 'kind', value: name, on: { change: () => choose(name) } }),
    h('span', { class: 'kind-face' }, icon(kindIcon(name)), h('span', { class: 'kind-title' }, words), h('span', { class: 'kind-about' }, about ?? '')))));

  const list = (all) => h('div', { class: 'field' }, h('label', { for: 'start-kind' }, 'Kind of job'),
    h('select', { id: 'start-kind', test: 'kind', on: { change: (event) => choose(event.target.value) } }, ...all.map(({ name, title: words }) => h('option', { value: name }, words))),
    h('p', { class: 'hint' }));

  /** Shows in the chooser which kind it is. */
  function mark() {
    const radio = chooser.querySelector(`input[value="${CSS.escape(kind.name)}"]`);
    if (radio) radio.checked = true;
    const select = chooser.querySelector('select');
    if (!select) return;
    select.value = kind.name;
    text(chooser.querySelector('.hint'), kind.sentence ?? '');
  }

  function choose(name) {
    kind = allKinds().find((one) => one.name === name);
    fields = fieldsFor(kind);
    place.replaceChildren(...fields.nodes);
    mark();
    changed();
    clearErrors();
    draw();
  }

  function fieldsFor(one) {
    const schema = `${one.name} ${JSON.stringify(one.args)}`;
    if (!drafts.has(schema)) drafts.set(schema, fieldsOf(one.args, { onChange: () => { changed(); complain(formError, ''); }, onAgain: () => form.requestSubmit() }));
    return drafts.get(schema);
  }

  // ---- starting

  function draw() {
    button.disabled = busy || !kind;
    fields?.lock(busy);
    text(label, !busy ? 'Start job' : fields.files?.sending() ? 'Uploading…' : 'Starting…');
  }

  function setBusy(is) {
    busy = is;
    draw();
  }

  function submit(event) {
    event.preventDefault();
    if (busy || !kind) return;
    clearErrors();
    const said = fields.read();
    if (!said) return;
    if (!said.upload) return start(said.args);
    const { files } = fields;
    files.send((problem, name) => {
      if (!problem) return start({ ...said.args, [said.upload]: name });
      setBusy(false);
      files.error(sentence(problem));
    });
    if (files.sending()) setBusy(true);
  }

  function start(args) {
    const request = { kind: kind.name, args, idempotencyKey: key, subscribe: false };
    if (title.value.trim()) request.title = title.value.trim();
    const wishes = tags.value.split(',').map((tag) => tag.trim()).filter(Boolean);
    if (wishes.length) request.tags = wishes;
    setBusy(true);
    starting = demand(app.socket, 'job:start', request, {
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
    const rest = (problem.errors ?? []).filter(({ pointer, detail }) => !fields.complain(pointer, detail)).map(({ pointer, detail }) => `${pointer.replace(/^\/(args\/)?/, '')}: ${detail}`.replace(/^: /, ''));
    if (problem.code === 'not_found') fields.files?.forget();
    if (problem.errors?.some(({ pointer }) => /^\/(title|tags)/.test(pointer))) more.open = true;
    complain(formError, problem.errors?.length ? rest.join(' ') : sentence(problem));
    form.querySelector('[aria-invalid=true]')?.focus();
  }

  function focus() {
    open(true);
    if (kind) fields.focus();
    else wanted = focus;
  }

  /** Takes files that were dropped on the page, and with them the kind of job that reads such. */
  function take([file, ...others], about) {
    open(true);
    if (!kind) {
      wanted = () => take([file, ...others], about);
      return;
    }
    if (busy) return complain(formError, 'One start is under way. Drop the file when it is done.');
    const readers = allKinds().filter((one) => fieldsFor(one).files);
    const reader = readers.find((one) => one === kind) ?? readers.find((one) => fieldsFor(one).files.accepts(file)) ?? readers[0];
    if (!reader) return complain(formError, 'This server has no kind of job that takes a file.');
    if (reader !== kind) choose(reader.name);
    const { files } = fields;
    files.take(about.directory ? null : file);
    if (about.directory) files.error('A directory cannot be sent, only one file at a time.');
    else if (others.length) files.error(`One file at a time: ${file.name} was taken, and ${format.plural(others.length, 'other')} not.`);
    (about.directory ? files.input : button).focus();
  }

  const unlearn = onKinds(learn);
  learn();
  return {
    node: form,
    focus,
    take,
    stop() {
      starting?.withdraw();
      unlearn();
      for (const one of drafts.values()) one.stop();
    },
  };
}

/** A problem in one sentence: its detail where it has one, its title otherwise. */
export function sentence(problem) {
  if (!problem) return 'Something went wrong.';
  if (!problem.detail) return problem.title;
  return problem.detail;
}
