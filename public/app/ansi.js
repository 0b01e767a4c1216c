// ANSI escapes in log lines: colours become classes, everything else is taken out.
// The text itself goes into the DOM by textContent, so no escape can become markup.

// CSI … final byte; OSC … BEL or ST; other two-character escapes.
const ESCAPE = /\x1b(?:\[([0-?]*)([ -/]*[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_a-z])/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** Splits a line into runs of one style: [{text, classes}]. */
export function ansi(line) {
  if (!line.includes('\x1b')) return [{ text: line.replace(CONTROL, ''), classes: '' }];
  const runs = [];
  const style = { fg: '', bold: false, dim: false, italic: false, underline: false };
  let from = 0;
  const push = (piece) => {
    const clean = piece.replace(CONTROL, '');
    if (clean) runs.push({ text: clean, classes: classesOf(style) });
  };
  for (const match of line.matchAll(ESCAPE)) {
    push(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === 'm') apply(style, match[1]);
  }
  push(line.slice(from));
  return runs.length ? runs : [{ text: '', classes: '' }];
}

function classesOf(style) {
  const classes = [];
  if (style.fg) classes.push(`ansi-${style.fg}`);
  for (const name of ['bold', 'dim', 'italic', 'underline']) if (style[name]) classes.push(`ansi-${name}`);
  return classes.join(' ');
}

function apply(style, parameters) {
  const codes = parameters === '' ? [0] : parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.assign(style, { fg: '', bold: false, dim: false, italic: false, underline: false });
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code >= 30 && code <= 37) style.fg = String(code - 30);
    else if (code >= 90 && code <= 97) style.fg = String(code - 90);
    else if (code === 39) style.fg = '';
    else if (code === 38 || code === 48) {
      // 256 colours and true colour: the first 16 keep their name, the rest is left plain.
      const size = codes[i + 1] === 5 ? 2 : 4;
      if (code === 38) style.fg = size === 2 && codes[i + 2] < 16 ? String(codes[i + 2] % 8) : '';
      i += size;
    }
  }
}
