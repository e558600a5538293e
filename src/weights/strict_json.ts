import { CheckpointError, quote } from "./errors.ts";

/** Deepest nesting accepted: real files use fewer than ten levels. */
const MAX_DEPTH = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Parses UTF-8 JSON and refuses what `JSON.parse` lets pass: a repeated key, deep nesting, and
 * more keys and values than `maxValues`. Without that bound a file of 16 MiB could unfold into
 * several hundred MiB of empty arrays.
 *
 * @throws {CheckpointError} `invalid_json`, naming `file`.
 */
export function parseStrictJson(
  file: string,
  bytes: Uint8Array,
  { maxValues }: { maxValues: number },
): unknown {
  const text = decodeUtf8(file, bytes);
  const problem = findProblem(text, maxValues);
  if (problem !== null) throw new CheckpointError(file, "invalid_json", problem);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // V8 quotes a short piece of the text, which is the file's own.
    const detail = cause instanceof Error ? cause.message : "unreadable";
    throw new CheckpointError(file, "invalid_json", `it is not JSON (${detail})`, { cause });
  }
}

function decodeUtf8(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CheckpointError(file, "invalid_json", "it is not UTF-8", { cause });
  }
}

/**
 * Looks through the structure of `text` without recursion. On text that is not JSON the answer
 * means nothing, and `JSON.parse` has the last word.
 */
function findProblem(text: string, maxValues: number): string | null {
  // One entry per open bracket: the keys seen so far, or null for an array.
  const open: (Set<string> | null)[] = [];
  let isKeyNext = false;
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        isKeyNext = text.charCodeAt(i) === OPEN_OBJECT;
        if (open.push(isKeyNext ? new Set() : null) > MAX_DEPTH) {
          return `it nests deeper than ${MAX_DEPTH} levels`;
        }
        values++;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop();
        break;
      case COMMA:
        isKeyNext = open.at(-1) instanceof Set;
        values++;
        break;
      case COLON:
        isKeyNext = false;
        values++;
        break;
      case QUOTE: {
        const end = endOfString(text, i);
        const keys = open.at(-1);
        if (isKeyNext && keys) {
          const key = decodeString(text.slice(i, end + 1));
          if (keys.has(key)) return `key ${quote(key)} is repeated, expected it once`;
          keys.add(key);
        }
        i = end;
      }
    }
    if (values > maxValues) return `it has more than ${maxValues} keys and values`;
  }
  return null;
}

/** Index of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
  } while (isEscaped(text, end));
  return end;
}

/** Whether an odd number of backslashes stands before `index`. */
function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (index - first) % 2 === 1;
}

/** `"\u0061"` and `"a"` are the same key. */
function decodeString(literal: string): string {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  try {
    return JSON.parse(literal);
  } catch {
    return literal; // Not JSON, as JSON.parse of the whole text will say.
  }
}
