import { cut, RequestError } from "./errors.ts";

/** Characters of a prompt in a query. */
export const LONGEST_PROMPT = 4096;

/** Fields whose values are text; the values of all others are numbers or booleans. */
const TEXT_FIELDS: readonly string[] = ["model", "overflow", "prompt", "stop", "strategy"];

/** What follows the question mark of a request target. */
export function queryOf(url: string): string {
  return /\?(.*)$/s.exec(url)?.[1] ?? "";
}

/**
 * Reads a query string into the fields that a JSON body would have.
 *
 * @param search What follows the question mark of the request target.
 * @throws {RequestError} If a scalar is repeated, the prompt too long, or text no UTF-8.
 */
export function parseQuery(search: string): Record<string, unknown> {
  const fields = new Map<string, unknown>();
  const stop: string[] = [];
  for (const pair of search.split("&").filter((each) => each !== "")) {
    const [, key = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair)!;
    const name = decode(key, null);
    const text = decode(value, cut(name));
    if (name === "stop") {
      stop.push(text);
    } else if (fields.has(name)) {
      const param = cut(name);
      throw new RequestError("invalid_value", `${param} must be given once`, { param });
    } else {
      fields.set(name, TEXT_FIELDS.includes(name) ? text : toScalar(text));
    }
  }
  const prompt = fields.get("prompt");
  if (typeof prompt === "string" && [...prompt].length > LONGEST_PROMPT) {
    const message = `prompt must have at most ${LONGEST_PROMPT} characters in a query, got ` +
      `${[...prompt].length}; send it with POST`;
    throw new RequestError("invalid_value", message, { param: "prompt" });
  }
  if (stop.length > 0) fields.set("stop", stop.length === 1 ? stop[0] : stop);
  return Object.fromEntries(fields);
}

/** A number in decimal or a boolean; any other text stays text, which the schema refuses. */
function toScalar(text: string): unknown {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text;
}

/** Percent-decodes as forms do, but refuses bytes that are not UTF-8 instead of replacing them. */
function decode(text: string, param: string | null): string {
  const bytes = [...new TextEncoder().encode(text.replaceAll("+", " "))];
  const decoded: number[] = [];
  for (let i = 0; i < bytes.length; i += 1) {
    const digits = String.fromCharCode(...bytes.slice(i + 1, i + 3));
    const isEscape = bytes[i] === 0x25 && /^[0-9a-f]{2}$/i.test(digits);
    decoded.push(isEscape ? parseInt(digits, 16) : bytes[i]!);
    if (isEscape) i += 2;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(Uint8Array.from(decoded));
  } catch {
    const message = `${param ?? "A parameter name"} is not valid UTF-8`;
    throw new RequestError("invalid_utf8", message, { param });
  }
}
