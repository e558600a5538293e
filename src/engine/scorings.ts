import { SequenceError } from "./request.ts";
import type { ScoreRequest, ScoreTexts, TextScore } from "./score.ts";
import { smooth } from "./smooth.ts";

/** Rows of a pass before anybody knows how long they take. */
const FIRST_ROWS = 64;

/** What becomes of scorings. */
export interface ScoringListener {
  /** One is over; `null` if it was cancelled. */
  onScored(id: number, scores: readonly TextScore[] | null): void;
  /** One has failed. */
  onError(id: number, error: SequenceError): void;
}

/** A scoring in line. */
interface Waiting {
  readonly id: number;
  readonly request: ScoreRequest;
}

/** The one that runs. */
interface Running {
  readonly id: number;
  readonly steps: ReturnType<ScoreTexts>;
  isCancelled: boolean;
}

/** Scorings in line, first come, first served: one runs at a time, a pass when it is told to. */
export class Scorings {
  readonly #score: ScoreTexts;
  readonly #listener: ScoringListener;
  readonly #now: () => number;
  readonly #passMs: number;
  readonly #waiting: Waiting[] = [];
  #running: Running | null = null;
  /** Milliseconds of one row; 0 until measured. */
  #rowMs = 0;

  /** @param options `now`: a clock in milliseconds. `passMs`: how long a pass should take. */
  constructor(
    score: ScoreTexts,
    { listener, now, passMs }: {
      readonly listener: ScoringListener;
      readonly now: () => number;
      readonly passMs: number;
    },
  ) {
    this.#score = score;
    this.#listener = listener;
    this.#now = now;
    this.#passMs = passMs;
  }

  /** Whether a pass would do anything. */
  get isBusy(): boolean {
    return this.#running !== null || this.#waiting.length > 0;
  }

  /** Lines a scoring up. */
  enqueue(id: number, request: ScoreRequest): void {
    this.#waiting.push({ id, request });
  }

  /** Ends a scoring, if it is there: at once where it waits, else instead of its next pass. */
  cancel(id: number): void {
    if (this.#running?.id === id) this.#running.isCancelled = true;
    const index = this.#waiting.findIndex((each) => each.id === id);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#listener.onScored(id, null);
  }

  /**
   * Runs one pass of the first in line.
   *
   * @returns Whether there was one.
   * @throws What ends the engine.
   */
  async pass(): Promise<boolean> {
    const running = this.#running ??= this.#next();
    if (running === null) return false;
    try {
      return await this.#step(running);
    } catch (error) {
      if (!(error instanceof SequenceError)) throw error;
      this.#running = null;
      this.#listener.onError(running.id, error);
      return true;
    }
  }

  /** Ends all with an error. */
  fail(error: SequenceError): void {
    const ids = [...this.#running ? [this.#running.id] : [], ...this.#waiting.map(({ id }) => id)];
    this.#running = null;
    this.#waiting.length = 0;
    for (const id of ids) this.#listener.onError(id, error);
  }

  async #step(running: Running): Promise<boolean> {
    const { id, steps } = running;
    if (running.isCancelled) {
      await steps.return([]);
      this.#running = null;
      this.#listener.onScored(id, null);
      return false;
    }
    const begin = this.#now();
    const { value, done } = await steps.next();
    if (!done) {
      this.#rowMs = smooth(this.#rowMs, (this.#now() - begin) / value);
      return true;
    }
    this.#running = null;
    this.#listener.onScored(id, running.isCancelled ? null : value);
    return false;
  }

  #next(): Running | null {
    const next = this.#waiting.shift();
    if (!next) return null;
    const rowsOfPass = () =>
      this.#rowMs === 0 ? FIRST_ROWS : Math.max(1, Math.floor(this.#passMs / this.#rowMs));
    const steps = this.#score(next.request, { rowsOfPass });
    return { id: next.id, steps, isCancelled: false };
  }
}
