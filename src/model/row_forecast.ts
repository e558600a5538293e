import { quota, scheduledQuota } from "../diffusion/quota.ts";
import type { DecodingRules } from "./decoding_rules.ts";
import {
  firstBlockStart,
  type SequenceOptions,
  stepsOf,
  subBlockSizeOf,
} from "./sequence_state.ts";

/** Rows and heads of a sequence in one pass, at most. */
export interface RowBound {
  readonly rows: number;
  readonly heads: number;
}

/** Where a sub-block stands before a step. */
interface Stand {
  /** Masks left in it. */
  readonly masked: number;
  /** Steps it took so far. */
  readonly step: number;
}

/**
 * Counts along on the host what the device does with a sequence, so that its passes are dispatched
 * for the rows they have: a block, and only beside its first step the one before it, or the commit of
 * a block by itself. Where the network decides how many tokens fall, every pass may have the most.
 */
export class RowForecast {
  readonly #options: SequenceOptions;
  readonly #rules: DecodingRules;
  /** Masks left in the block, and steps of its current sub-block so far. */
  #masked: number;
  #step = 0;

  constructor(options: SequenceOptions, rules: DecodingRules) {
    this.#options = options;
    this.#rules = rules;
    this.#masked = firstBlockStart(options, rules) + options.blockSize - options.prompt.length;
  }

  /** What the next pass needs; a sequence that is over by then needs less. */
  next(): RowBound {
    const { blockSize } = this.#options;
    const subBlockSize = subBlockSizeOf(this.#options);
    const { shiftsLogits } = this.#rules;
    const falling = this.#falling();
    if (falling === null) {
      return { rows: shiftsLogits ? blockSize : 2 * blockSize, heads: subBlockSize };
    }
    const isFirst = this.#masked === 0;
    if (isFirst) {
      this.#step = 0;
      this.#masked = shiftsLogits ? blockSize - 1 : blockSize;
      if (shiftsLogits) return { rows: blockSize, heads: 1 };
    }
    // Sub-blocks after the current one are full of masks.
    const masked = (this.#masked - 1) % subBlockSize + 1;
    const { tokens, heads } = falling({ masked, step: this.#step });
    this.#step = tokens === masked ? 0 : this.#step + 1;
    this.#masked -= tokens;
    return { rows: isFirst ? 2 * blockSize : blockSize, heads };
  }

  /** Tokens that fall in a step and heads that run for it, where the schedule alone says so. */
  #falling(): ((stand: Stand) => { tokens: number; heads: number }) | null {
    const planned = (tokens: number) => ({ tokens, heads: tokens });
    switch (this.#options.strategy.strategy) {
      case "first_hitting":
        return () => planned(1);
      case "sequential":
      case "random":
        return (stand) => planned(this.#quota(stand));
      case "low_confidence_static":
        return (stand) => ({ tokens: this.#quota(stand), heads: stand.masked });
      case "ancestral":
      case "low_confidence_dynamic":
      case "entropy_bounded":
        return null;
    }
  }

  #quota({ masked, step }: Stand): number {
    const steps = stepsOf(this.#options);
    switch (this.#rules.quota) {
      case "masks_left":
        return quota(masked, Math.max(1, steps - step));
      case "schedule":
        return Math.min(masked, scheduledQuota(subBlockSizeOf(this.#options), { step, steps }));
    }
  }
}
