// Values as people read them, and as they type them. Bytes are {"$hex": "00ff10"} in both directions.
import { hex as digits } from '/app/format.js';

const WIDTH = 96; // what is shorter stands on one line
const HEX = 64; // bytes that are shown of a longer value

/** The bytes of a value that came in as bytes, else null. */
function bytesOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null;
}

/** The length, and the first bytes in hex. */
export function hex(bytes) {
  const shown = digits(bytes.subarray(0, HEX), ' ');
  return `<${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}${shown && `: ${shown}`}${bytes.length > HEX ? ' …' : ''}>`;
}

/** A value as text of about `most` characters: JSON, but for bytes, which are shown in hex. */
export function print(value, most) {
  let left = most;
  const take = (text) => {
    const part = text.length > left ? `${text.slice(0, Math.max(0, left))}…` : text;
    left -= text.length;
    return part;
  };
  const write = (one, indent) => {
    if (left <= 0) return '…';
    const bytes = bytesOf(one);
    if (bytes) return take(hex(bytes));
    if (one === undefined) return take('undefined');
    if (one === null || typeof one !== 'object') return take(JSON.stringify(typeof one === 'string' ? one.slice(0, left + 1) : one));
    const list = Array.isArray(one);
    const parts = [];
    for (const key of Object.keys(one)) {
      const name = list ? '' : `${take(JSON.stringify(key))}: `;
      parts.push(name + write(one[key], `${indent}  `));
      if (left > 0) continue;
      parts.push('…');
      break;
    }
    const [open, close] = list ? '[]' : '{}';
    const short = parts.join(', ');
    if (indent.length + short.length < WIDTH && !short.includes('\n')) return open + short + close;
    return `${open}\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}${close}`;
  };
  return write(value, '');
}

/** Reads JSON in which {"$hex": …} are bytes. Throws an Error whose message is a sentence. */
export function read(text) {
  return JSON.parse(text, (key, value) => {
    if (value === null || typeof value !== 'object' || !('$hex' in value)) return value;
    const digits = typeof value.$hex === 'string' ? value.$hex.replace(/\s/g, '') : '?';
    if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error('The text of "$hex" must be pairs of the digits 0-9 and a-f.');
    if (Object.keys(value).length > 1) throw new Error('Bytes are {"$hex": "…"}, with nothing else beside it.');
    return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  });
}
