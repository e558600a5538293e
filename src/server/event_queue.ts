import type { ServerEvent } from "./sse.ts";

/** Bytes of events that wait for a reader before drafts are dropped. */
const BACKLOG_BYTES = 65_536;

interface Waiting<E> {
  readonly event: E;
  readonly sizeBytes: number;
}

/**
 * Events between a generation, which never waits, and one reader, which may be slow. Blocks wait
 * for the reader; steps and other drafts are dropped where more than 64 KiB would wait.
 */
export class EventQueue<E extends ServerEvent> implements AsyncIterable<E>, AsyncIterator<E, void> {
  readonly #onClose: () => void;
  readonly #onDrop: (steps: number) => void;
  /** What waits begins at `#head`: taking from the front of a long array would move the rest. */
  #waiting: Waiting<E>[] = [];
  #head = 0;
  #waitingBytes = 0;
  #waitingSteps = 0;
  #reader: PromiseWithResolvers<IteratorResult<E, void>> | undefined;
  #end: { readonly error: unknown } | "done" | undefined;

  /**
   * @param onClose Called once if the reader leaves before the last event.
   * @param onDrop Told how many steps are dropped.
   */
  constructor(onClose: () => void, onDrop: (steps: number) => void = () => {}) {
    this.#onClose = onClose;
    this.#onDrop = onDrop;
  }

  /** Whether nothing more can be added. */
  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Adds an event; no effect after the end. */
  push(event: E): void {
    if (this.isEnded) return;
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: event });
      this.#reader = undefined;
      return;
    }
    const sizeBytes = JSON.stringify(event.data).length;
    const isStep = isDraft(event);
    if (this.#waitingBytes + sizeBytes > BACKLOG_BYTES) {
      if (isStep) return this.#onDrop(1);
      if (this.#waitingSteps > 0) this.#dropSteps();
    }
    this.#waiting.push({ event, sizeBytes });
    this.#waitingBytes += sizeBytes;
    if (isStep) this.#waitingSteps += 1;
  }

  /** Ends the queue after what waits; with `failure` the reader then gets its error thrown. */
  end(failure?: { readonly error: unknown }): void {
    if (this.isEnded) return;
    this.#end = failure ?? "done";
    this.#reader?.resolve(this.next());
    this.#reader = undefined;
  }

  /** Ends the queue for the reader at once: somebody else reads on. */
  close(): void {
    this.#waiting = [];
    this.#head = 0;
    if (this.isEnded) this.#end = "done";
    else this.end();
  }

  next(): Promise<IteratorResult<E, void>> {
    const first = this.#take();
    if (first !== undefined) return Promise.resolve({ done: false, value: first });
    if (this.#end === "done") return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) {
      const { error } = this.#end;
      this.#end = "done";
      return Promise.reject(error);
    }
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  return(): Promise<IteratorResult<E, void>> {
    const isEarly = !this.isEnded;
    this.end();
    this.#waiting = [];
    this.#head = 0;
    if (isEarly) this.#onClose();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<E, void> {
    return this;
  }

  #take(): E | undefined {
    const first = this.#waiting[this.#head];
    if (first === undefined) return undefined;
    this.#waitingBytes -= first.sizeBytes;
    if (isDraft(first.event)) this.#waitingSteps -= 1;
    this.#head += 1;
    if (2 * this.#head >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return first.event;
  }

  #dropSteps(): void {
    this.#waiting = this.#waiting.slice(this.#head)
      .filter(({ event }) => !isDraft(event));
    this.#head = 0;
    this.#waitingBytes = this.#waiting.reduce((sum, each) => sum + each.sizeBytes, 0);
    this.#onDrop(this.#waitingSteps);
    this.#waitingSteps = 0;
  }
}

function isDraft({ event, isDraft = false }: ServerEvent): boolean {
  return event === "step" || isDraft;
}
