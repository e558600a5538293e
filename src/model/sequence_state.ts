import { seedWords } from "../diffusion/random.ts";
import type { StrategyOptions } from "../diffusion/remasking/mod.ts";

/** What a sequence asks of the denoiser. */
export interface SequenceOptions {
  /** Tokens fed to the model, a BOS included where it has one. */
  readonly prompt: readonly number[];
  /** Tokens to generate at most. */
  readonly maxTokens: number;
  /** Tokens per block: one of the model's block sizes. */
  readonly blockSize: number;
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
  /** Token that ends the sequence; `null` goes on to the length. */
  readonly stopToken: number | null;
}

/** Words of a sequence in `kernels/sequence.wgsl`. */
export const SEQUENCE_WORDS = 24;

const NO_TOKEN = 0xffff_ffff;
const PHASE_DENOISE = 1;

/** Numbers of the strategies in `kernels/sequence.wgsl`. */
const STRATEGY_NUMBERS: Readonly<Record<StrategyOptions["strategy"], number>> = {
  first_hitting: 0,
  ancestral: 1,
  sequential: 2,
  low_confidence_static: 3,
  low_confidence_dynamic: 4,
  entropy_bounded: 5,
};

/** Denoising steps that a block may take. */
export function stepsOf({ strategy, blockSize }: SequenceOptions): number {
  return strategy.strategy === "first_hitting" ? blockSize : strategy.steps ?? blockSize;
}

/** Position of the first generated block: the multiple of the block size that the prompt reaches. */
export function firstBlockStart({ prompt, blockSize }: SequenceOptions): number {
  return Math.floor(prompt.length / blockSize) * blockSize;
}

/**
 * A sequence before its first pass, field by field as in `kernels/sequence.wgsl`.
 *
 * @param window Tokens that the network sees at once.
 */
export function packSequence(options: SequenceOptions, window: number): Uint32Array<ArrayBuffer> {
  const { prompt, strategy, blockSize } = options;
  const words = new Uint32Array(SEQUENCE_WORDS);
  const floats = new Float32Array(words.buffer);
  const start = firstBlockStart(options);
  words.set([...seedWords(options.seed), options.choice, STRATEGY_NUMBERS[strategy.strategy]]);
  words[4] = stepsOf(options);
  floats[5] = "threshold" in strategy ? strategy.threshold : 0;
  floats[6] = "entropy_bound" in strategy ? strategy.entropy_bound : 0;
  floats.set([options.temperature, options.topP], 7);
  words.set([options.topK, blockSize, Math.floor(window / blockSize)], 9);
  words.set([prompt.length, prompt.length + options.maxTokens], 12);
  words[14] = options.stopToken ?? NO_TOKEN;
  words.set([PHASE_DENOISE, start, start + blockSize - prompt.length, 0, 0], 15);
  // Time of the first block, and of the prompt before it, which is clean.
  floats.set([1, 0], 20);
  return words;
}

/** The tokens of the first block: what is left of the prompt, then masks. */
export function firstBlock(options: SequenceOptions, maskToken: number): Uint32Array<ArrayBuffer> {
  const tail = options.prompt.slice(firstBlockStart(options));
  const tokens = new Uint32Array(options.blockSize).fill(maskToken);
  tokens.set(tail);
  return tokens;
}
