import { RequestError } from "./errors.ts";
import { ReplayLog } from "./replay_log.ts";
import type { Run } from "./run.ts";

/** Longest event id; those of this server are shorter. */
const LONGEST_ID = 64;
/** A finished generation is kept for this long at least. */
const LEAST_RETENTION_MS = 1000;

/** Which event of which generation a client saw last. */
export interface EventReference {
  readonly generation: string;
  readonly number: number;
}

/**
 * Reads a `Last-Event-ID`.
 *
 * @throws {RequestError} If it is no id of an event of a generation.
 */
export function parseEventId(text: string): EventReference {
  const [, generation, number] = /^(blk_[A-Za-z0-9_-]{22,})\.(0|[1-9]\d*)$/.exec(text) ?? [];
  if (generation === undefined || text.length > LONGEST_ID) {
    throw invalidEventId("must be the id of an event of a generation");
  }
  return { generation, number: Number(number) };
}

/** The refusal of a `Last-Event-ID` that does not fit. */
export function invalidEventId(problem: string): RequestError {
  return new RequestError("invalid_last_event_id", `Last-Event-ID ${problem}`);
}

/** How {@linkcode Generations} are kept. */
export interface GenerationsOptions {
  /** Those that are over, at most. */
  readonly maxRetained: number;
  /** Told how many steps a reader was too slow for. */
  readonly onDrop: (steps: number) => void;
}

/** The generations that clients can come back to: those under way, and some that are over. */
export class Generations {
  readonly #maxRetained: number;
  readonly #onDrop: (steps: number) => void;
  readonly #logs = new Map<string, ReplayLog>();
  /** Those that are over, oldest first, with the timers that forget them. */
  readonly #retained = new Map<string, ReturnType<typeof setTimeout>>();

  constructor({ maxRetained, onDrop }: GenerationsOptions) {
    this.#maxRetained = maxRetained;
    this.#onDrop = onDrop;
  }

  /** Keeps the events of `run` from now on. */
  add(run: Run, { owner, resumeMs }: { owner: string; resumeMs: number }): ReplayLog {
    const { id } = run.parts;
    const log = new ReplayLog(run, {
      owner,
      resumeMs,
      onOver: () => this.#retain(log),
      onDrop: this.#onDrop,
    });
    this.#logs.set(id, log);
    return log;
  }

  /**
   * The generation `id` of this `owner`.
   *
   * @throws {RequestError} If it is unknown, forgotten, or somebody else's: which, nobody is told.
   */
  find(id: string, owner: string): ReplayLog {
    const log = this.#logs.get(id);
    if (log !== undefined && log.owner === owner) return log;
    throw new RequestError("generation_not_found", "There is no such generation, or no longer");
  }

  /** Forgets a generation that is over. */
  forget(id: string): void {
    clearTimeout(this.#retained.get(id));
    this.#retained.delete(id);
    this.#logs.delete(id);
  }

  #retain({ id, resumeMs }: ReplayLog): void {
    if (resumeMs === 0 || this.#maxRetained === 0) return this.forget(id);
    const timer = setTimeout(() => this.forget(id), Math.max(resumeMs, LEAST_RETENTION_MS));
    // Nothing waits for this: the process may end before.
    Deno.unrefTimer(timer);
    this.#retained.set(id, timer);
    const [oldest] = this.#retained.keys();
    if (this.#retained.size > this.#maxRetained) this.forget(oldest!); // There is one then.
  }
}
