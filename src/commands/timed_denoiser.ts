import type {
  Burst,
  Denoiser,
  DenoiserLimits,
  DeviceMemory,
  PassPlan,
  PrefixCacheUse,
  Remains,
} from "../model/denoiser.ts";
import type { SequenceOptions } from "../model/sequence_state.ts";

/** What the host did with a burst, and when. */
export interface HostSpan {
  readonly name: "record" | "submit" | "read";
  /** Counts from 0. */
  readonly burst: number;
  /** Passes of the burst. */
  readonly passes: number;
  /** Milliseconds by the clock that the denoiser was given. */
  readonly beginMs: number;
  readonly endMs: number;
}

/** A denoiser that notes how long the host records, submits and reads each burst of another. */
export class TimedDenoiser implements Denoiser {
  readonly #denoiser: Denoiser;
  readonly #now: () => number;
  #spans: HostSpan[] = [];
  #bursts = 0;
  #unread = 0;
  #idle = Promise.withResolvers<void>();

  /** @param now A clock in milliseconds. */
  constructor(denoiser: Denoiser, now: () => number) {
    this.#denoiser = denoiser;
    this.#now = now;
  }

  get limits(): DenoiserLimits {
    return this.#denoiser.limits;
  }

  get memory(): DeviceMemory {
    return this.#denoiser.memory;
  }

  get freePages(): number {
    return this.#denoiser.freePages;
  }

  get prefixCache(): PrefixCacheUse {
    return this.#denoiser.prefixCache;
  }

  /**
   * Gives the spans since the last call, in the order of their ends, once every burst is read. The
   * next burst is number 0 again.
   */
  async take(): Promise<readonly HostSpan[]> {
    while (this.#unread > 0) await this.#idle.promise;
    const spans = this.#spans;
    this.#spans = [];
    this.#bursts = 0;
    return spans;
  }

  firstBlockStart(options: SequenceOptions): number {
    return this.#denoiser.firstBlockStart(options);
  }

  rowsFor(options: SequenceOptions): number {
    return this.#denoiser.rowsFor(options);
  }

  pagesFor(options: SequenceOptions): number {
    return this.#denoiser.pagesFor(options);
  }

  hasRoom(options: SequenceOptions): boolean {
    return this.#denoiser.hasRoom(options);
  }

  reuse(slot: number, position: number): number {
    return this.#denoiser.reuse(slot, position);
  }

  open(slot: number, options: SequenceOptions): void {
    this.#denoiser.open(slot, options);
  }

  close(slot: number, remains: Remains | null): void {
    this.#denoiser.close(slot, remains);
  }

  record(passes: readonly PassPlan[]): Burst {
    const noted = { burst: this.#bursts++, passes: passes.length };
    const end = this.#begin("record", noted);
    const burst = this.#denoiser.record(passes);
    end();
    this.#unread += 1;
    return {
      submit: () => {
        const end = this.#begin("submit", noted);
        burst.submit();
        end();
      },
      read: async () => {
        const end = this.#begin("read", noted);
        try {
          return await burst.read();
        } finally {
          end();
          this.#unread -= 1;
          this.#idle.resolve();
          this.#idle = Promise.withResolvers();
        }
      },
    };
  }

  [Symbol.dispose](): void {
    this.#denoiser[Symbol.dispose]();
  }

  /** Starts a span; the result ends it. */
  #begin(name: HostSpan["name"], noted: Pick<HostSpan, "burst" | "passes">): () => void {
    const beginMs = this.#now();
    return () => void this.#spans.push({ name, ...noted, beginMs, endMs: this.#now() });
  }
}
