import type { Burst, Denoiser, LaneResult, PassPlan, PrefixCacheUse } from "../model/denoiser.ts";
import { NO_USE, useSince } from "./prefix_cache_use.ts";
import type { EngineLoad } from "./protocol.ts";
import { SequenceError, type SequenceEvent, type SequenceRequest } from "./request.ts";
import { AdmissionError, Scheduler } from "./scheduler.ts";
import type { ScoreRequest, ScoreTexts } from "./score.ts";
import { type ScoringListener, Scorings } from "./scorings.ts";
import type { Sequence } from "./sequence.ts";
import { smooth } from "./smooth.ts";

/** How long a burst should take: a cancel, or a newcomer, waits for two at most. */
const BURST_MS = 45;
/** Prompt rows of a burst before anybody knows how long they take. */
const FIRST_PROMPT_ROWS = 128;

/** What the engine tells about its sequences and scorings. */
export interface EngineListener extends ScoringListener {
  /** The next event of a sequence. */
  onEvent(id: number, event: SequenceEvent): void;
  /** A sequence ended without an `end` event, or a scoring without scores. */
  onError(id: number, error: SequenceError): void;
  /** What is held now: before every end, after every burst. */
  onLoad(load: EngineLoad): void;
}

/** A burst under way with the sequences that take part in it. */
interface Flight {
  readonly burst: Burst;
  readonly plans: readonly PassPlan[];
  /** Sequences by slot, as they were when the burst was planned. */
  readonly sequences: ReadonlyMap<number, Sequence>;
}

/** The loop: admit, plan a burst, submit it, read the one before; between bursts, score a little. */
export class EngineLoop {
  readonly #denoiser: Denoiser;
  readonly #scheduler: Scheduler;
  readonly #scorings: Scorings;
  readonly #listener: EngineListener;
  readonly #now: () => number;
  readonly #nextTurn: () => Promise<void>;
  #wake = Promise.withResolvers<void>();
  #isClosed = false;
  /** Milliseconds of one pass without prompts; 0 until measured. */
  #passMs = 0;
  /** Milliseconds of one prompt row in a burst that has some; 0 until measured. */
  #promptRowMs = 0;
  /** Passes read since the listener was told last. */
  #passes = { denoise: 0, commit: 0 };
  /** What the cache had done by then. */
  #told: PrefixCacheUse = NO_USE;

  /**
   * @param options `now`: a clock in milliseconds. `nextTurn`: lets the messages that came in run.
   */
  constructor(
    denoiser: Denoiser,
    options: {
      readonly score: ScoreTexts;
      readonly listener: EngineListener;
      readonly now: () => number;
      readonly nextTurn: () => Promise<void>;
    },
  ) {
    this.#denoiser = denoiser;
    const { score, listener, now, nextTurn } = options;
    this.#scheduler = new Scheduler(denoiser);
    this.#scorings = new Scorings(score, { listener, now, passMs: BURST_MS });
    this.#listener = listener;
    this.#now = now;
    this.#nextTurn = nextTurn;
  }

  /** Sequences in slots, and those in line. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#scheduler.running.length, waiting: this.#scheduler.waiting };
  }

  /** Lines a sequence up. */
  submit(id: number, request: SequenceRequest): void {
    this.#scheduler.enqueue({ id, request, since: this.#now() });
    this.#wake.resolve();
  }

  /** Lines a scoring up. */
  score(id: number, request: ScoreRequest): void {
    this.#scorings.enqueue(id, request);
    this.#wake.resolve();
  }

  /** Ends a sequence, whose slot is free before the next burst is planned, or a scoring. */
  cancel(id: number): void {
    this.#scorings.cancel(id);
    const sequence = this.#scheduler.find(id);
    if (sequence) return this.#emit(sequence, sequence.cancel());
    const waiting = this.#scheduler.dequeue(id);
    if (!waiting) return;
    const queueMs = this.#now() - waiting.since;
    this.#listener.onEvent(id, { type: "end", reason: "cancelled", passes: 0, queueMs });
  }

  /** Ends {@linkcode EngineLoop.run} after the burst under way. */
  close(): void {
    this.#isClosed = true;
    this.#wake.resolve();
  }

  /**
   * Runs until closed.
   *
   * @throws What ended it, a `GpuError` if the device failed; sequences are told before.
   */
  async run(): Promise<void> {
    this.#tellLoad();
    try {
      while (!this.#isClosed) {
        const flight = this.#takeOff();
        if (flight) {
          await this.#fly(flight);
        } else if (this.#scorings.isBusy) {
          await this.#scorePass();
          await this.#nextTurn();
        } else {
          await this.#wake.promise;
          this.#wake = Promise.withResolvers();
        }
      }
    } catch (cause) {
      this.#failAll(new SequenceError("device_lost", "The engine failed", { cause }));
      throw cause;
    }
  }

  /** Submits bursts, and hands each out while the next one runs, until there is none. */
  async #fly(first: Flight): Promise<void> {
    first.burst.submit();
    let flight: Flight | null = first;
    let submittedAt = this.#now();
    while (flight) {
      // Recorded while the device works, submitted the moment it is done.
      const next = this.#isClosed ? null : this.#takeOff();
      const results = await flight.burst.read();
      this.#measure(flight, this.#now() - submittedAt);
      const isScoring = this.#scorings.isBusy;
      if (isScoring) {
        this.#land(flight, results);
        await this.#scorePass();
      }
      submittedAt = this.#now();
      next?.burst.submit();
      if (!isScoring) this.#land(flight, results);
      await this.#nextTurn();
      flight = next;
    }
  }

  /** A pass of a scoring, while nothing else is on the device. */
  async #scorePass(): Promise<void> {
    if (!await this.#scorings.pass()) return;
    this.#passes.commit += 1;
    this.#tellLoad();
  }

  /** Admits who can be, and records the next burst. */
  #takeOff(): Flight | null {
    this.#admit();
    const running = this.#scheduler.running;
    const promptRows = this.#promptRowMs === 0 ? FIRST_PROMPT_ROWS : BURST_MS / this.#promptRowMs;
    const plans = this.#scheduler.plan(this.#burstLength(running), promptRows);
    if (plans.length === 0) return null;
    const sequences = new Map(running.map((each) => [each.slot, each]));
    return { burst: this.#denoiser.record(plans), plans, sequences };
  }

  #admit(): void {
    while (this.#admitOne()) {
      // Everybody who fits.
    }
  }

  /** Whether the first in line has left it. */
  #admitOne(): boolean {
    try {
      const sequence = this.#scheduler.admit(this.#now());
      if (sequence) this.#emit(sequence, sequence.admitted());
      return sequence !== null;
    } catch (error) {
      if (!(error instanceof AdmissionError)) throw error;
      const { message, id } = error;
      this.#endWith(id, new SequenceError("internal_error", message, { cause: error }));
      return true;
    }
  }

  #burstLength(running: readonly Sequence[]): number {
    // A trace shows every step when it happens.
    if (running.some(({ request }) => request.trace)) return 1;
    if (this.#passMs === 0) return 4;
    return Math.max(1, Math.round(BURST_MS / this.#passMs));
  }

  #measure({ plans }: Flight, ms: number): void {
    const rows = plans.flatMap(({ prompts }) => prompts)
      .reduce((sum, { tokens }) => sum + tokens.length, 0);
    if (rows > 0) this.#promptRowMs = smooth(this.#promptRowMs, ms / rows);
    // Better too long an estimate than none.
    if (rows === 0 || this.#passMs === 0) this.#passMs = smooth(this.#passMs, ms / plans.length);
  }

  #land({ plans, sequences }: Flight, results: readonly (readonly LaneResult[])[]): void {
    const now = this.#now();
    for (const [i, { prompts }] of plans.entries()) {
      // Lanes that are over have no rows, and a plan without lanes has those of prompts.
      const commits = results[i]!.every(({ status }) => status === "committed");
      this.#passes[commits ? "commit" : "denoise"] += 1;
      for (const { slot, tokens } of prompts) {
        const sequence = sequences.get(slot)!; // Every slot with rows is one of them.
        this.#emit(sequence, sequence.prefill(tokens.length, now));
      }
    }
    for (const result of results.flat()) {
      const sequence = sequences.get(result.slot)!; // Every lane is one of them.
      if (result.status === "failed" && !sequence.hasEnded) {
        this.#fail(sequence, new SequenceError("internal_error", "A pass gave no finite numbers"));
      } else {
        this.#emit(sequence, sequence.apply(result, now));
      }
    }
    this.#tellLoad();
  }

  #emit(sequence: Sequence, events: readonly SequenceEvent[]): void {
    if (events.length === 0) return;
    // The slot is free before anybody hears of the end.
    if (sequence.hasEnded) {
      this.#scheduler.release(sequence);
      this.#tellLoad();
    }
    for (const event of events) this.#listener.onEvent(sequence.id, event);
  }

  #fail(sequence: Sequence, error: SequenceError): void {
    sequence.cancel();
    this.#scheduler.release(sequence, { hasFailed: true });
    this.#endWith(sequence.id, error);
  }

  #endWith(id: number, error: SequenceError): void {
    this.#tellLoad();
    this.#listener.onError(id, error);
  }

  #tellLoad(): void {
    const { limits, freePages, memory, prefixCache } = this.#denoiser;
    const { denoise, commit } = this.#passes;
    this.#passes = { denoise: 0, commit: 0 };
    const prefixUse = useSince(this.#told, prefixCache);
    this.#told = prefixCache;
    const pages = { usedPages: limits.pages - freePages, freePages };
    const passes = { denoisePasses: denoise, commitPasses: commit };
    this.#listener.onLoad({ ...pages, ...passes, prefixCache: prefixUse, memory });
  }

  #failAll(error: SequenceError): void {
    for (const sequence of this.#scheduler.running) this.#fail(sequence, error);
    for (const { id } of this.#scheduler.drain()) this.#endWith(id, error);
    this.#scorings.fail(error);
  }
}
