import { seedWords } from "../diffusion/random.ts";
import type { StrategyOptions } from "../diffusion/remasking/mod.ts";
import type { DecodingRules } from "./decoding_rules.ts";

/** What a sequence asks of the denoiser. */
export interface SequenceOptions {
  /** Tokens fed to the model, a BOS included where it has one. */
  readonly prompt: readonly number[];
  /** Tokens to generate at most. */
  readonly maxTokens: number;
  /** Tokens per block: one of the model's block sizes. */
  readonly blockSize: number;
  /**
   * Tokens of a sub-block: a divisor of the block size, which it is where left out. Of a block's
   * sub-blocks only the leftmost one with masks is denoised; steps and quotas are those of a sub-block.
   */
  readonly subBlockSize?: number;
  /** Remasking strategy with its options, defaults filled in. */
  readonly strategy: StrategyOptions;
  /** 0 takes the most probable token at each position. */
  readonly temperature: number;
  /** Nucleus mass in (0, 1]; 1 is off. */
  readonly topP: number;
  /** 0 is off. */
  readonly topK: number;
  /** Integer in [0, 2^53). */
  readonly seed: number;
  /** Number of this choice among the samples of one request; draws from its own stream. */
  readonly choice: number;
  /** Tokens that end the sequence, {@linkcode MAX_STOP_TOKENS} at most; with none it has its length. */
  readonly stopTokens: readonly number[];
  /** Whether passes give the details of what they reveal; not where left out. */
  readonly isDetailed?: boolean;
}

/** Tokens that a sequence can end with. */
export const MAX_STOP_TOKENS = 4;

/** Words of a sequence in `kernels/sequence.wgsl`. */
export const SEQUENCE_WORDS = 32;

const NO_TOKEN = 0xffff_ffff;
const PHASE_DENOISE = 1;

/** Numbers of the strategies in `kernels/sequence.wgsl`. */
const STRATEGY_NUMBERS: Readonly<Record<StrategyOptions["strategy"], number>> = {
  first_hitting: 0,
  ancestral: 1,
  sequential: 2,
  random: 3,
  low_confidence_static: 4,
  low_confidence_dynamic: 5,
  entropy_bounded: 6,
};

/** Denoising steps that a sub-block may take. */
export function stepsOf(
  options: Pick<SequenceOptions, "strategy" | "blockSize" | "subBlockSize">,
): number {
  const { strategy } = options;
  const most = subBlockSizeOf(options);
  return strategy.strategy === "first_hitting" ? most : strategy.steps ?? most;
}

/** Tokens of a sub-block. */
export function subBlockSizeOf(
  { blockSize, subBlockSize = blockSize }: Pick<SequenceOptions, "blockSize" | "subBlockSize">,
): number {
  return subBlockSize;
}

/**
 * Position of the first block that the sequence itself runs: the multiple of the block size that the
 * prompt reaches. Where logits are shifted and the prompt ends there, its last block: what commits it
 * gives the first token.
 */
export function firstBlockStart(
  { prompt, blockSize }: Pick<SequenceOptions, "prompt" | "blockSize">,
  { shiftsLogits }: DecodingRules,
): number {
  const known = shiftsLogits ? Math.max(0, prompt.length - 1) : prompt.length;
  return Math.floor(known / blockSize) * blockSize;
}

/**
 * A sequence before its first pass, field by field as in `kernels/sequence.wgsl`.
 *
 * @param model `window`: tokens that the network sees at once.
 * @throws {RangeError} If it may end with too many tokens, or sub-blocks do not fill the block.
 */
export function packSequence(
  options: SequenceOptions,
  { window, rules }: { readonly window: number; readonly rules: DecodingRules },
): Uint32Array<ArrayBuffer> {
  checkSequence(options);
  const { prompt, strategy, blockSize, stopTokens } = options;
  const subBlockSize = subBlockSizeOf(options);
  const words = new Uint32Array(SEQUENCE_WORDS);
  const floats = new Float32Array(words.buffer);
  const start = firstBlockStart(options, rules);
  words.set([...seedWords(options.seed), options.choice, STRATEGY_NUMBERS[strategy.strategy]]);
  words[4] = stepsOf(options);
  floats[5] = "threshold" in strategy ? strategy.threshold : 0;
  floats[6] = "entropy_bound" in strategy ? strategy.entropy_bound : 0;
  floats.set([options.temperature, options.topP], 7);
  words.set([options.topK, blockSize, subBlockSize, Math.floor(window / blockSize)], 9);
  words.set([prompt.length, prompt.length + options.maxTokens], 13);
  words.fill(NO_TOKEN, 15, 15 + MAX_STOP_TOKENS);
  words.set(stopTokens, 15);
  words[19] = Number(options.isDetailed ?? false);
  words.set([PHASE_DENOISE, start, start + blockSize - prompt.length], 20);
  // Time of the first block, and of the prompt before it, which is clean.
  floats.set([1, 0], 26);
  return words;
}

function checkSequence({ stopTokens, ...options }: SequenceOptions): void {
  const { blockSize } = options;
  const subBlockSize = subBlockSizeOf(options);
  if (stopTokens.length > MAX_STOP_TOKENS) {
    throw new RangeError(
      `Cannot open a sequence: ${stopTokens.length} tokens end it, expected ${MAX_STOP_TOKENS} at most`,
    );
  }
  if (subBlockSize < 1 || blockSize % subBlockSize !== 0) {
    throw new RangeError(
      `Cannot open a sequence: its sub-block size is ${subBlockSize}, expected a divisor of ${blockSize}`,
    );
  }
}

/** The tokens of the first block: what is left of the prompt, then masks. */
export function firstBlock(
  options: SequenceOptions,
  { maskToken, rules }: { readonly maskToken: number; readonly rules: DecodingRules },
): Uint32Array<ArrayBuffer> {
  const tail = options.prompt.slice(firstBlockStart(options, rules));
  const tokens = new Uint32Array(options.blockSize).fill(maskToken);
  tokens.set(tail);
  return tokens;
}
