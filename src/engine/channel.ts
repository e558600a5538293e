import type { SequenceError, SequenceEvent } from "./request.ts";

/** Events of one sequence, from the port to whoever reads them. */
export class Channel implements AsyncIterable<SequenceEvent> {
  readonly #onLeave: () => void;
  readonly #events: SequenceEvent[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #error: SequenceError | null = null;
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  /** @param onLeave Called when the reader leaves before the last event. */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** Resolves when no event follows. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Adds an event; `end` is the last one. */
  push(event: SequenceEvent): void {
    this.#events.push(event);
    if (event.type === "end") this.#close();
    else this.#wake.resolve();
  }

  /** Ends with an error, which the reader gets after what waits. */
  fail(error: SequenceError): void {
    this.#error = error;
    this.#close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SequenceEvent> {
    try {
      while (true) {
        const event = this.#events.shift();
        if (event) {
          yield event;
        } else if (this.#isOver) {
          if (this.#error) throw this.#error;
          return;
        } else {
          await this.#wake.promise;
          this.#wake = Promise.withResolvers();
        }
      }
    } finally {
      if (!this.#isOver) this.#onLeave();
    }
  }

  #close(): void {
    this.#isOver = true;
    this.#wake.resolve();
    this.#closed.resolve();
  }
}
