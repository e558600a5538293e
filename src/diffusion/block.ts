/**
 * `blockSize` neighbouring tokens that are denoised together. Immutable: a strategy returns a new
 * block.
 */
export class Block {
  /**
   * @param tokens Token ids, `mask` where not known yet.
   * @param mask The mask token's id.
   */
  constructor(readonly tokens: readonly number[], readonly mask: number) {}

  /** Indices of the masked positions, left to right. */
  masked(): number[] {
    return this.tokens.flatMap((token, i) => token === this.mask ? [i] : []);
  }

  /** This block with the masked `positions` filled from `proposed`. */
  reveal(positions: readonly number[], proposed: readonly number[]): Block {
    const tokens = [...this.tokens];
    for (const i of positions) {
      if (tokens[i] !== this.mask) {
        throw new RangeError(`Cannot reveal position ${i}: it holds ${tokens[i]}, expected a mask`);
      }
      tokens[i] = proposed[i]!;
    }
    return new Block(tokens, this.mask);
  }
}

/** What one forward pass suggests for every position of a block. */
export interface Proposal {
  /** Drawn token per position; never the mask. */
  readonly tokens: readonly number[];
  /** Probability of the drawn token after temperature and filters (architecture: confidence). */
  readonly confidence: readonly number[];
  /** Entropy of the unfiltered distribution at the temperature, nats. */
  readonly entropy: readonly number[];
}

/** Where a block stands on its way from masks to text. */
export interface Step {
  /** Steps executed so far in this block. */
  readonly step: number;
  /** Tokens the schedule wants revealed in this step. */
  readonly quota: number;
  /**
   * One uniform number in [0, 1) per position: the order of falling. Drawn once per block, but by
   * `random` in every step.
   */
  readonly order: readonly number[];
}
