import { cut, RequestError } from "./errors.ts";

const DEEPEST = 64;

/**
 * The JSON object that `text` spells. Of a repeated key the last counts.
 *
 * @throws {RequestError} If it is no JSON, no object, nested too deep, or holds a lone surrogate.
 */
export function parseObject(text: string): Record<string, unknown> {
  // Before parsing: walking a value deeper than this would take a stack as deep.
  if (depth(text) > DEEPEST) {
    throw new RequestError("invalid_json", `JSON must not be nested deeper than ${DEEPEST}`);
  }
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RequestError("invalid_json", "The request body must be a JSON object");
  }
  checkUnicode(value);
  return value as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Of the parser's message only the place: the rest quotes the body.
    const place = /at position \d+/.exec((error as SyntaxError).message)?.[0];
    const message = `The request body is not valid JSON${place === undefined ? "" : ` ${place}`}`;
    throw new RequestError("invalid_json", message);
  }
}

/** How deep objects and arrays are nested in `text`, which need not be valid JSON. */
function depth(text: string): number {
  let now = 0;
  let most = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (isInString) {
      if (unit === 0x5c) i += 1; // a backslash: what follows cannot end the string
      else if (unit === 0x22) isInString = false;
    } else if (unit === 0x22) {
      isInString = true;
    } else if (unit === 0x7b || unit === 0x5b) {
      now += 1;
      if (now > most) most = now;
    } else if (unit === 0x7d || unit === 0x5d) {
      now -= 1;
    }
  }
  return most;
}

function checkUnicode(value: object): void {
  const path = findLoneSurrogate(value);
  if (path === undefined) return;
  const param = path === "" ? null : cut(path);
  const message = `${param ?? "A field name"} must be well-formed Unicode, got a lone surrogate`;
  throw new RequestError("invalid_unicode", message, { param });
}

/** Path of the first string with a lone surrogate, or of the object with such a field name. */
function findLoneSurrogate(value: unknown): string | undefined {
  if (typeof value === "string") return value.isWellFormed() ? undefined : "";
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, each] of Object.entries(value)) {
    if (!name.isWellFormed()) return "";
    const rest = findLoneSurrogate(each);
    if (rest === undefined) continue;
    const step = Array.isArray(value) ? `[${name}]` : name;
    return rest === "" || rest.startsWith("[") ? step + rest : `${step}.${rest}`;
  }
  return undefined;
}
