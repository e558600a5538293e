/** One event of a stream, as it was sent. */
export interface StreamedEvent {
  readonly event: string;
  readonly id: string | null;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  readonly data: any;
}

/** A stream that has been read to its end. */
export interface EventStream {
  /** What came, byte by byte. */
  readonly bytes: Uint8Array;
  readonly events: readonly StreamedEvent[];
  /** Text of all blocks. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** The last event. */
  readonly last: StreamedEvent;
}

/**
 * Reads a stream of `/v1/blocks` to its end.
 *
 * @throws {SyntaxError} If anything in it is not as the contract has it, section 6.2.
 */
export async function readEventStream(response: Response): Promise<EventStream> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const [retry, ...rest] = text.split("\n\n");
  if (retry !== "retry: 2000" || rest.pop() !== "") {
    throw new SyntaxError(`Cannot read the stream: it is ${JSON.stringify(text)}`);
  }
  const events = rest.filter((part) => part !== ": keep-alive").map(parseEvent);
  const blocks = events.filter(({ event }) => event === "block").map(({ data }) => data);
  return {
    bytes,
    events,
    text: blocks.map((block) => block.text).join(""),
    tokens: blocks.flatMap((block) => block.tokens),
    last: events.at(-1)!, // Of an empty stream nothing else is right either.
  };
}

/** An event stream's lines without the empty one; `id` is missing in those that have none. */
export function parseEvent(lines: string): StreamedEvent {
  const match = /^event: ([a-z]+)\n(?:id: ([A-Za-z0-9_-]+\.\d+)\n)?data: ([^\n]*)$/.exec(lines);
  if (!match) throw new SyntaxError(`Cannot read the event: it is ${JSON.stringify(lines)}`);
  const [, event = "", id = null, json = ""] = match;
  return { event, id, data: JSON.parse(json) };
}
