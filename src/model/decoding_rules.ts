/** How a family turns logits into tokens: what no request chooses. */
export interface DecodingRules {
  /** Whether top-p keeps the token that crosses the mass; else it is dropped. */
  readonly keepsCrossing: boolean;
  /**
   * Tokens that a step wants: ⌈masks left / steps left⌉, or what a schedule made for a block of masks
   * says for the step, whatever the prompt filled already.
   */
  readonly quota: "masks_left" | "schedule";
  /**
   * Whether the logits for a token come from the row before it in its block, and those for a block's
   * first token from the last row of the commit of the block before.
   */
  readonly shiftsLogits: boolean;
  /** Whether sequences may grow beyond what the network sees, block by block. */
  readonly slides: boolean;
}

/** What requests get that leave a field out; what is left out here is the contract's. */
export interface SamplingDefaults {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly strategy?: string;
  readonly steps?: number;
  readonly threshold?: number;
}

/**
 * Tokens of a sub-block where logits are shifted and a request does not say.
 *
 * Source: Fast-dLLM v2, `generate`, `small_block_size`.
 */
export const USUAL_SUB_BLOCK = 8;
