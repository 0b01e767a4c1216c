// The fields of a form, drawn from the JSON Schema of a kind's arguments.
import { attr, complain, h, show } from './dom.js';
import { fileField } from './filefield.js';

const MANY = 120; // characters, from which on a text gets a box of several lines

let number = 0; // makes the ids of each form's fields unique

/**
 * onChange() is called when a value has changed, and onAgain() where a file that was cut is to be sent again. A
 * property that is no simple value gets a field for JSON.
 */
export function fieldsOf(schema, { onChange, onAgain }) {
  const properties = Object.entries(schema?.properties ?? {});
  const choice = (schema?.oneOf ?? schema?.anyOf ?? []).map((one) => one.required?.[0]).filter(Boolean); // one of these is given
  const fields = properties.map(([name, given]) => {
    const about = resolve(schema, given);
    const required = schema.required?.includes(name) ?? false;
    const label = { text: about.title ?? words(name), optional: !required && !choice.includes(name) && about.default === undefined && about.type !== 'boolean' };
    if (about.format === 'upload') return upload(name, label.text, about);
    const field = control(name, about, label, () => { field.complain(''); onChange(); });
    return Object.assign(field, { name, required, text: label.text });
  });

  function upload(name, text, about) {
    const files = fileField({ label: text, onChange: () => { draw(); onChange(); }, onAgain });
    files.accept(about.accept?.join(','));
    return {
      name, text, files, node: files.node, complain: files.error, focus: () => files.input.focus(), lock: files.lock,
      read: () => (files.file() ? { value: files.file() } : {}),
    };
  }

  const file = fields.find((field) => field.files);

  /** While a file is chosen, the fields that could be given in its place are hidden. */
  function draw() {
    for (const field of fields) if (field !== file && choice.includes(field.name)) show(field.node, !(file && choice.includes(file.name) && file.files.file()));
  }

  draw();
  return {
    nodes: fields.map((field) => field.node),
    files: file?.files ?? null,
    /** The arguments, but for the upload, whose property is `upload` then; or null, where fields now say what is wrong. */
    read() {
      const args = {};
      let given = '';
      let wrong = null;
      for (const field of fields) {
        if (field.node.hidden) continue;
        const { value, error } = field.read();
        const problem = error ?? (field.required && value === undefined ? 'This is needed.' : '');
        if (problem) {
          field.complain(problem);
          wrong ??= field;
        }
        if (value === undefined) continue;
        if (choice.includes(field.name)) given ||= field.name;
        if (field !== file) args[field.name] = value;
      }
      if (choice.length && !given && !wrong) {
        wrong = fields.findLast((field) => choice.includes(field.name) && !field.node.hidden) ?? null;
        wrong?.complain(`Give one of these: ${fields.filter((field) => choice.includes(field.name)).map((field) => field.text).join(', ')}.`);
      }
      wrong?.focus();
      return wrong ? null : { args, upload: file?.files.file() ? file.name : null };
    },
    /** Shows a problem at the field that a pointer below /args names; false where there is none to see. */
    complain(pointer, sentence) {
      const name = /^\/args\/([^/]+)/.exec(pointer)?.[1].replaceAll('~1', '/').replaceAll('~0', '~');
      const field = fields.find((one) => one.name === name && !one.node.hidden) ?? (choice.includes(name) ? fields.find((one) => choice.includes(one.name) && !one.node.hidden) : null);
      field?.complain(sentence);
      return Boolean(field);
    },
    clear() { for (const field of fields) field.complain(''); },
    lock(is) { for (const field of fields) field.lock(is); },
    focus() { fields.find((field) => !field.node.hidden)?.focus(); },
    stop() { file?.files.stop(); },
  };
}

/** A property's schema, behind its $ref. */
function resolve(root, about) {
  const name = /^#\/\$defs\/(.+)$/.exec(about?.$ref ?? '')?.[1];
  return (name ? root.$defs?.[name] : about) ?? {};
}

/** "maxRows" and "max_rows" as a person writes them. */
const words = (name) => {
  const text = name.replace(/[_-]+/g, ' ').replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase();
  return text[0].toUpperCase() + text.slice(1);
};

function control(name, about, label, onInput) {
  const id = `start-arg-${number++}`;
  const shape = shapeOf(about);
  const described = { id, test: name === 'path' ? 'path' : `arg-${name}`, 'aria-describedby': `${id}-hint ${id}-error`, on: { input: onInput } };
  const text = { ...described, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' };
  const example = about.examples?.[0] === undefined ? null : shape.write(about.examples[0]);
  let input;
  if (shape === SHAPES.enum) input = h('select', described, ...(about.default === undefined ? [h('option', { value: '' }, '–')] : []), ...about.enum.map((value) => h('option', { value: JSON.stringify(value) }, String(value))));
  else if (shape === SHAPES.boolean) input = h('input', { ...described, type: 'checkbox' });
  else if (shape.many || about.maxLength > MANY && about.format !== 'path' && !about.pattern) input = h('textarea', { ...text, class: 'text-area', rows: 3, placeholder: example });
  else input = h('input', { ...text, type: about.format === 'password' ? 'password' : 'text', inputmode: shape.keys, placeholder: example, maxlength: about.maxLength });
  if (shape === SHAPES.boolean) input.checked = about.default === true;
  else if (about.default !== undefined) input.value = shape.write(about.default);

  const hint = [about.description, shape.hint].filter(Boolean).join(' ');
  const problem = h('p', { class: 'field-error', id: `${id}-error`, role: 'alert', hidden: true });
  const note = h('p', { class: 'hint', id: `${id}-hint`, hidden: !hint }, hint);
  const named = shape === SHAPES.boolean
    ? h('label', { class: 'check', for: id }, input, label.text)
    : h('label', { for: id }, label.text, label.optional ? h('span', { class: 'optional' }, ' optional') : null);
  return {
    node: h('div', { class: 'field' }, named, shape === SHAPES.boolean ? null : input, note, problem),
    read() {
      try {
        return { value: shape.read(input) };
      } catch (error) {
        return { error: error.message };
      }
    },
    complain(sentence) {
      complain(problem, sentence);
      attr(input, 'aria-invalid', sentence ? 'true' : null);
    },
    focus: () => input.focus(),
    lock(is) { input.disabled = is; },
  };
}

// How a value is written into its field and read out of it. An empty field is undefined.
const given = (input, read) => (input.value.trim() === '' ? undefined : read(input.value.trim()));

const SHAPES = {
  string: { write: String, read: (input) => given(input, () => input.value) },
  integer: { write: String, keys: 'numeric', read: (input) => given(input, wholeNumber) },
  number: { write: String, keys: 'decimal', read: (input) => given(input, anyNumber) },
  boolean: { write: String, read: (input) => input.checked },
  enum: { write: JSON.stringify, read: (input) => given(input, JSON.parse) },
  lines: { many: true, hint: 'One on each line.', write: (list) => list.join('\n'), read: (input) => given(input, (text) => text.split('\n').map((line) => line.trim()).filter(Boolean)) },
  numbers: { many: true, hint: 'One on each line.', write: (list) => list.join('\n'), read: (input) => given(input, (text) => text.split(/\s+/).map(anyNumber)) },
  json: { many: true, hint: 'As JSON.', write: (value) => JSON.stringify(value, null, 1), read: (input) => given(input, json) },
};

function shapeOf(about) {
  if (about.enum) return SHAPES.enum;
  if (about.type === 'array') {
    if (about.items?.type === 'string') return SHAPES.lines;
    if (about.items?.type === 'integer' || about.items?.type === 'number') return SHAPES.numbers;
  }
  return { string: SHAPES.string, integer: SHAPES.integer, number: SHAPES.number, boolean: SHAPES.boolean }[about.type] ?? SHAPES.json;
}

function wholeNumber(text) {
  if (!/^[+-]?\d+$/.test(text)) throw new Error('This is a whole number.');
  // A larger number is rounded in JavaScript: the server would get other digits than were typed.
  if (!Number.isSafeInteger(Number(text))) throw new Error('This page sends whole numbers of at most 15 digits.');
  return Number(text);
}

function anyNumber(text) {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`${text} is not a number.`);
  return value;
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}.`);
  }
}
