// Helpers for the DOM. Text gets in by textContent only.

/** Creates an element: h('p', {class: 'note', data: {id: 7}, on: {click}}, 'text', child). */
export function h(tag, props = {}, ...children) {
  const svg = tag === 'svg' || tag === 'path' || tag === 'circle';
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'on') for (const [name, call] of Object.entries(value)) node.addEventListener(name, call);
    else if (key === 'data') for (const [name, text] of Object.entries(value)) node.dataset[name] = text;
    else if (key === 'test') node.dataset.testid = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets text only where it differs, so that nothing is laid out again for nothing. */
export function text(node, value) {
  const next = value ?? '';
  if (node.textContent !== next) node.textContent = next;
}

export function show(node, visible) {
  if (node.hidden === Boolean(visible)) node.hidden = !visible;
}

/** Shows an error's sentence, or hides its place. Tests find an error by its data-testid; a hidden one has none. */
export function complain(node, sentence) {
  text(node, sentence);
  show(node, Boolean(sentence));
  attr(node, 'data-testid', sentence ? 'error' : null);
}

export function attr(node, name, value) {
  if (value === null || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const ICONS = {
  copy: 'M5.5 5.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.5 5.5h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1z',
  check: 'M3 8.5l3.2 3.2L13 4.8',
  back: 'M9.5 3.5L5 8l4.5 4.5',
  next: 'M6.5 3.5L11 8l-4.5 4.5',
  down: 'M8 3v9M4 8.5L8 12.5l4-4',
  job: 'M2.5 4h11M2.5 8h7.5M2.5 12h4',
  file: 'M4 2.5h5l3 3v8H4zM9 2.5v3h3',
  up: 'M4 10l4-4 4 4',
  upload: 'M8 11V3.5M5 6.2L8 3.2l3 3M3 11v1.5a1 1 0 0 0 1 1h8a1 1 0 0 0 1-1V11',
  again: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3',
  close: 'M4 4l8 8M12 4l-8 8',
  hash: 'M6 2.5L4.8 13.5M11.2 2.5L10 13.5M2.8 6h10.8M2.4 10h10.8',
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11zM8 5.2v3l2.2 1.3',
  table: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M6.2 3.5v9M9.9 3.5v9',
};

/** A line icon of 16 by 16; decoration only, hidden from assistive technology. */
export function icon(name) {
  return h('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, h('path', { d: ICONS[name] }));
}

/**
 * Marks a box that scrolls sideways with data-more: the sides, left and right, on which there is more of it. The
 * style lets it fade out there, so that nobody takes it for the whole.
 */
export function edges(box) {
  const look = () => {
    const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
    attr(box, 'data-more', [box.scrollLeft > 1 ? 'left' : '', rest > 1 ? 'right' : ''].join(' ').trim() || null);
  };
  box.addEventListener('scroll', look, { passive: true });
  new ResizeObserver(look).observe(box); // they live as long as the box
  new MutationObserver(look).observe(box, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ['hidden'] });
  return box;
}

const REST = 4; // after a drawing that took t ms, the next one comes 4 t later at the earliest

/**
 * Runs `call` soon after `mark()`, at most four times a second, however often it is marked, and less often
 * where it takes long: what comes in must be taken in, or the page falls behind what it shows.
 * Everything on the page that changes with a job's progress is drawn through one of these.
 */
export function painter(call, everyMs = 250) {
  let timer = null;
  let next = -Infinity;
  const run = () => {
    timer = null;
    const from = performance.now();
    call();
    const to = performance.now();
    next = Math.max(from + everyMs, to + REST * (to - from));
  };
  return {
    mark() {
      if (timer === null) timer = setTimeout(run, Math.max(0, next - performance.now()));
    },
    stop() {
      clearTimeout(timer);
      timer = -1;
    },
  };
}
