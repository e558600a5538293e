/** Data of the last event of OpenAI's streams, which is no JSON. */
export const DONE = Object.freeze({ done: true });

/** One server-sent event. */
export interface ServerEvent {
  /** Its type; `null` leaves the default, `message`. */
  readonly event: string | null;
  /** Sets the reader's last event id; `null` leaves it. */
  readonly id: string | null;
  /** Sent as one line of JSON. */
  readonly data: unknown;
  /** Whether a slow reader can do without; `step` events are drafts too. */
  readonly isDraft?: boolean;
}

/** How a stream of events is kept going. */
export interface StreamOptions {
  /** Silence before a comment is sent. */
  readonly keepaliveMs: number;
  /** Without anything taken by the reader, the connection is closed after this. */
  readonly writeTimeoutMs: number;
  /** Told of each connection that is closed for that. */
  readonly onSlow: () => void;
}

const RETRY = "retry: 2000\n\n";
const KEEPALIVE = ": keep-alive\n\n";

/**
 * A response that sends `events` as they come. It asks for the next event only when the reader has
 * taken what was sent; the iterator's `return()` is called when the reader leaves.
 *
 * Source: WHATWG HTML, section 9.2 "Server-sent events".
 */
export function eventStream(events: AsyncIterable<ServerEvent>, options: StreamOptions): Response {
  const source = new StreamSource(events[Symbol.asyncIterator](), options);
  // A buffer of nothing: a pull means that the reader waits for more.
  return new Response(new ReadableStream(source, { highWaterMark: 0 }), {
    headers: {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store, no-transform",
      "X-Accel-Buffering": "no",
    },
  });
}

/** `event` in the framing of server-sent events: JSON has no line breaks, so `data` is one line. */
export function frame({ event, id, data }: ServerEvent): string {
  const eventLine = event === null ? "" : `event: ${event}\n`;
  const idLine = id === null ? "" : `id: ${id}\n`;
  return `${eventLine}${idLine}data: ${data === DONE ? "[DONE]" : JSON.stringify(data)}\n\n`;
}

type Controller = ReadableStreamDefaultController<Uint8Array>;

class StreamSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #events: AsyncIterator<ServerEvent>;
  readonly #options: StreamOptions;
  readonly #encoder = new TextEncoder();
  /** The event waited for; it outlives a pull that a keep-alive comment answered. */
  #next: Promise<IteratorResult<ServerEvent>> | undefined;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #hasBegun = false;
  #hasReader = true;

  constructor(events: AsyncIterator<ServerEvent>, options: StreamOptions) {
    this.#events = events;
    this.#options = options;
  }

  async pull(controller: Controller): Promise<void> {
    clearTimeout(this.#stallTimer);
    if (this.#hasBegun) {
      await this.#sendNext(controller);
    } else {
      this.#hasBegun = true;
      this.#send(controller, RETRY);
    }
  }

  async cancel(): Promise<void> {
    clearTimeout(this.#stallTimer);
    this.#hasReader = false;
    await this.#events.return?.();
  }

  async #sendNext(controller: Controller): Promise<void> {
    this.#next ??= this.#events.next();
    const result = await orIdle(this.#next, this.#options.keepaliveMs);
    if (!this.#hasReader) return;
    if (result === "idle") return this.#send(controller, KEEPALIVE);
    this.#next = undefined;
    if (result.done) controller.close();
    else this.#send(controller, frame(result.value));
  }

  #send(controller: Controller, text: string): void {
    controller.enqueue(this.#encoder.encode(text));
    const { writeTimeoutMs, onSlow } = this.#options;
    this.#stallTimer = setTimeout(() => {
      onSlow();
      // Words and no Error: the runtime prints what it gets here, and no log line has a stack.
      controller.error(`Cannot send: the reader took nothing for ${writeTimeoutMs} ms`);
      this.#events.return?.();
    }, writeTimeoutMs);
  }
}

/** What `promise` brings, or "idle" when it takes longer than `ms`. */
async function orIdle<T>(promise: Promise<T>, ms: number): Promise<T | "idle"> {
  const idle = Promise.withResolvers<"idle">();
  const timer = setTimeout(() => idle.resolve("idle"), ms);
  try {
    return await Promise.race([promise, idle.promise]);
  } finally {
    clearTimeout(timer);
  }
}
