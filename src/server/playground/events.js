/** @typedef {import("../replay_log.ts").ReplayedEvent} BlocksEvent */

/**
 * Reads server-sent events until the connection ends or breaks.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<BlocksEvent, void>}
 */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const event = parseEvent(part);
        if (event !== null) yield event;
      }
    }
  } finally {
    // Who leaves early leaves the connection.
    reader.cancel().catch(() => {});
  }
}

/**
 * What stands between two empty lines; `null` where it has no data, as a comment has none.
 *
 * @param {string} part
 * @returns {BlocksEvent | null}
 */
function parseEvent(part) {
  /** @type {Map<string, string>} */
  const fields = new Map();
  for (const line of part.split("\n")) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const data = fields.get("data");
  if (data === undefined) return null;
  const event = { event: fields.get("event"), id: fields.get("id") ?? null };
  return /** @type {BlocksEvent} */ ({ ...event, data: JSON.parse(data) });
}
