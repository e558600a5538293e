import type { ErrorBody } from "./errors.ts";
import { EventQueue } from "./event_queue.ts";
import { type BlocksEvent, eventId, type FailedEvent } from "./events.ts";
import type { Run } from "./run.ts";

/** What a client of a stream that can be resumed is sent. */
export type ReplayedEvent = BlocksEvent | FailedEvent;

/** Who may come back to a generation, and for how long. */
export interface ReplayLogOptions {
  /** Who may come back: what their key digests to. */
  readonly owner: string;
  readonly resumeMs: number;
  /** Called once, when nothing is added any more. */
  readonly onOver: () => void;
  /** Told how many steps a reader was too slow for. */
  readonly onDrop: (steps: number) => void;
}

/**
 * The events of one generation, for the reader it has and for one that comes back: at most one at
 * a time. Without a reader for `resumeMs` the generation is cancelled.
 */
export class ReplayLog {
  readonly id: string;
  readonly owner: string;
  readonly resumeMs: number;
  readonly #run: Run;
  readonly #onOver: () => void;
  readonly #onDrop: (steps: number) => void;
  /** Events with an id, by their number. */
  readonly #events: ReplayedEvent[] = [];
  #reader: EventQueue<ReplayedEvent> | null = null;
  #isOver = false;
  #cancelTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(run: Run, { owner, resumeMs, onOver, onDrop }: ReplayLogOptions) {
    this.id = run.parts.id;
    this.owner = owner;
    this.resumeMs = resumeMs;
    this.#run = run;
    this.#onOver = onOver;
    this.#onDrop = onDrop;
  }

  /** Number of the newest event. */
  get last(): number {
    return this.#events.length - 1;
  }

  /** Whether nothing is added any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Adds an event, and hands it to the reader. No effect after the final one. */
  push(event: ReplayedEvent): void {
    if (this.#isOver) return;
    if (event.event !== "step") this.#events.push(event);
    const isFinal = event.event === "done" || event.event === "error";
    if (isFinal) this.#end();
    this.#reader?.push(event);
    if (isFinal) this.#reader?.end();
  }

  /** Ends with an error in place of `done`. */
  fail(error: ErrorBody): void {
    this.push({ event: "error", id: eventId(this.id, this.#events.length), data: error });
  }

  /** Ends the generation as cancelled. */
  cancel(): void {
    this.#run.cancel();
  }

  /** Lets a reader have every event after number `after`, and those to come; another one loses it. */
  attach(after: number): EventQueue<ReplayedEvent> {
    clearTimeout(this.#cancelTimer);
    this.#reader?.close();
    const reader = new EventQueue<ReplayedEvent>(() => this.#leave(reader), this.#onDrop);
    for (const event of this.#events.slice(after + 1)) reader.push(event);
    if (this.#isOver) reader.end();
    this.#reader = reader;
    return reader;
  }

  #leave(reader: EventQueue<ReplayedEvent>): void {
    if (this.#reader !== reader) return;
    this.#reader = null;
    if (this.#isOver) return;
    if (this.resumeMs > 0) {
      this.#cancelTimer = setTimeout(() => this.cancel(), this.resumeMs);
      return;
    }
    this.cancel();
    // Nobody may come back, so that what it still says is for nobody.
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#cancelTimer);
    this.#onOver();
  }
}
