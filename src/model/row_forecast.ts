import { quota } from "../diffusion/quota.ts";
import { firstBlockStart, type SequenceOptions, stepsOf } from "./sequence_state.ts";

/** Rows and heads of a sequence in one pass, at most. */
export interface RowBound {
  readonly rows: number;
  readonly heads: number;
}

/**
 * Counts along on the host what the device does with a sequence, so that its passes are dispatched
 * for the rows they have: a block, and only beside its first step the one before it. Where the
 * network decides how many tokens fall, every pass may have the most.
 */
export class RowForecast {
  readonly #options: SequenceOptions;
  #masked: number;
  #step = 0;

  constructor(options: SequenceOptions) {
    this.#options = options;
    this.#masked = firstBlockStart(options) + options.blockSize - options.prompt.length;
  }

  /** What the next pass needs; a sequence that is over by then needs less. */
  next(): RowBound {
    const { blockSize } = this.#options;
    const falling = this.#falling();
    if (falling === null) return { rows: 2 * blockSize, heads: blockSize };
    const isFirst = this.#masked === 0;
    if (isFirst) {
      this.#masked = blockSize;
      this.#step = 0;
    }
    const { tokens, heads } = falling(this.#masked, this.#step++);
    this.#masked -= tokens;
    return { rows: isFirst ? 2 * blockSize : blockSize, heads };
  }

  /** Tokens that fall in a step and heads that run for it, where the schedule alone says so. */
  #falling(): ((masked: number, step: number) => { tokens: number; heads: number }) | null {
    const steps = stepsOf(this.#options);
    const wanted = (masked: number, step: number) => quota(masked, Math.max(1, steps - step));
    switch (this.#options.strategy.strategy) {
      case "first_hitting":
        return () => ({ tokens: 1, heads: 1 });
      case "sequential":
        return (masked, step) => {
          const tokens = wanted(masked, step);
          return { tokens, heads: tokens };
        };
      case "low_confidence_static":
        return (masked, step) => ({ tokens: wanted(masked, step), heads: masked });
      case "ancestral":
      case "low_confidence_dynamic":
      case "entropy_bounded":
        return null;
    }
  }
}
