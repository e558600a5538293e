import type { Denoiser, PassPlan, PromptRows } from "../model/denoiser.ts";
import type { SequenceRequest } from "./request.ts";
import { Sequence } from "./sequence.ts";

/** A request that waits for a slot. */
interface Waiting {
  readonly id: number;
  readonly request: SequenceRequest;
  readonly since: number;
}

/** A request that the denoiser did not take. */
export class AdmissionError extends Error {
  override readonly name = "AdmissionError";
  constructor(readonly id: number, options: ErrorOptions) {
    super("Cannot admit the sequence", options);
  }
}

/** Which sequences run, which wait, and what goes into the next burst. First come, first served. */
export class Scheduler {
  readonly #denoiser: Denoiser;
  readonly #waiting: Waiting[] = [];
  readonly #running = new Map<number, Sequence>();
  readonly #freeSlots: number[];
  /** Where the search for lanes begins, so that all get their turn when not all fit. */
  #turn = 0;

  constructor(denoiser: Denoiser) {
    this.#denoiser = denoiser;
    const { slots } = denoiser.limits;
    this.#freeSlots = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** Sequences in slots. */
  get running(): readonly Sequence[] {
    return [...this.#running.values()];
  }

  /** Sequences without a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Lines a request up. */
  enqueue(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  /** Takes a waiting request out of the line, if it is there. */
  dequeue(id: number): Waiting | undefined {
    const index = this.#waiting.findIndex((each) => each.id === id);
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  /** Empties the line. */
  drain(): Waiting[] {
    return this.#waiting.splice(0);
  }

  /** The running sequence with this id. */
  find(id: number): Sequence | undefined {
    return this.#running.get(id);
  }

  /**
   * Moves the first in line into a slot while there is one, and pages for it.
   *
   * @returns It, or `null` when nobody can move.
   * @throws {AdmissionError} If the denoiser does not take it; it is out of the line then.
   */
  admit(now: number): Sequence | null {
    const [first] = this.#waiting;
    const slot = this.#freeSlots.at(-1);
    if (!first || slot === undefined) return null;
    if (!this.#denoiser.hasRoom(first.request)) return null;
    this.#waiting.shift();
    try {
      this.#denoiser.open(slot, first.request);
    } catch (cause) {
      throw new AdmissionError(first.id, { cause });
    }
    this.#freeSlots.pop();
    const { id, request, since } = first;
    const capacity = this.#denoiser.pagesFor(request) * this.#denoiser.limits.pageTokens;
    const start = this.#denoiser.firstBlockStart(request);
    const queueMs = now - since;
    const sequence = new Sequence(id, request, { slot, start, now, queueMs, capacity });
    this.#running.set(id, sequence);
    this.#reuse(sequence);
    return sequence;
  }

  /**
   * Frees the slot of a sequence that has ended. The device keeps the order of what is in flight.
   *
   * @param options `hasFailed`: nothing of it is kept for others.
   */
  release({ id, slot, remains }: Sequence, { hasFailed = false } = {}): void {
    if (!this.#running.delete(id)) return;
    this.#denoiser.close(slot, hasFailed ? null : remains);
    this.#freeSlots.push(slot);
  }

  /**
   * Plans at most `passes` passes with at most `promptRows` rows of prompts, but a block of the first
   * that needs it; none when nobody has anything to do.
   */
  plan(passes: number, promptRows = Infinity): PassPlan[] {
    const { limits } = this.#denoiser;
    let left = Math.min(promptRows, limits.promptRows);
    const plans: PassPlan[] = [];
    while (plans.length < Math.min(passes, limits.passes)) {
      const plan = this.#planPass(left, plans.length === 0);
      if (plan.lanes.length === 0 && plan.prompts.length === 0) break;
      left -= plan.prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
      plans.push(plan);
    }
    return plans;
  }

  #planPass(promptRows: number, isFirst: boolean): PassPlan {
    const sequences = this.running;
    let rows = this.#denoiser.limits.rows;
    const lanes: number[] = [];
    const prompts: PromptRows[] = [];
    const first = this.#turn++ % Math.max(1, sequences.length);
    for (const sequence of [...sequences.slice(first), ...sequences.slice(0, first)]) {
      const least = isFirst && prompts.length === 0 ? sequence.request.blockSize : 0;
      this.#reuse(sequence);
      const prompt = sequence.takePrompt(Math.min(rows, Math.max(promptRows, least)));
      if (prompt) {
        prompts.push(prompt);
        rows -= prompt.tokens.length;
        promptRows -= prompt.tokens.length;
      }
      const needed = this.#denoiser.rowsFor(sequence.request);
      if (!sequence.isPrefilled || sequence.passesLeft === 0 || needed > rows) continue;
      sequence.planPass({ withPrompt: prompt !== null });
      lanes.push(sequence.slot);
      rows -= needed;
    }
    return { lanes, prompts };
  }
  /** Skips the prompt rows that others have stored by now. */
  #reuse(sequence: Sequence): void {
    if (sequence.isPrefilled) return;
    sequence.skipPrompt(this.#denoiser.reuse(sequence.slot, sequence.planned));
  }
}
