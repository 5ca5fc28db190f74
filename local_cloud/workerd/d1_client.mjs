// The code of a D1 binding, as the program workerd holds it in plain text among its modules that only its own modules may import.
// A worker loader passes no D1 binding, so a loaded version gets this code, and the service behind the binding.
import { closeSync, openSync, readSync } from "node:fs";

const CLASS = "class D1Database {";
const TRACING = /^import \{ withSpan \} from 'cloudflare-internal:tracing-helpers';$/m;
const NO_TRACING = "const withSpan = (_name, run) => run({ setAttribute() {} });";
const PART = 4 * 2 ** 20;
const LONGEST = 2 ** 18; // bytes of a module: parts overlap by as much on both sides of the class

// Gives a module whose default export makes a binding of `{ fetcher }`; undefined where this workerd has none that can be used alone.
export function d1Client(workerd) {
  const file = openSync(workerd, "r");
  const buffer = Buffer.alloc(PART);
  try {
    for (let start = 0, length; (length = readSync(file, buffer, 0, PART, start)) > 0; start += PART - 2 * LONGEST) {
      const text = moduleAround(buffer.subarray(0, length));
      if (text) return text;
    }
  } finally {
    closeSync(file);
  }
}

function moduleAround(bytes) {
  const place = bytes.indexOf(CLASS);
  const [before, end] = [bytes.lastIndexOf(0, place), bytes.indexOf(0, place)];
  if (place < 0 || before < 0 || end < 0) return;
  const text = bytes.toString("utf8", before + 1, end).replace(TRACING, NO_TRACING);
  return /^import |cloudflare-internal:/m.test(text) || !/^export default function makeBinding\(/m.test(text) ? undefined : text;
}
