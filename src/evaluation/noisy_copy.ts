import { noiseLevel, type NoiseSchedule, stratify, timeAt } from "../diffusion/noise.ts";
import { type Stream, uniformAt } from "../diffusion/random.ts";

/** A text whose likelihood is asked for. */
export interface Text {
  /** Token ids from position 0 on. */
  readonly x0: readonly number[];
  /** How many tokens at its front are given: they are never masked, and not scored. */
  readonly given: number;
  readonly blockSize: number;
}

/** A text with masks in it, and what they count. */
export interface NoisyCopy {
  readonly xt: readonly number[];
  /** What −ln p of each token counts in the bound; 0 where it is not masked. */
  readonly weights: Float64Array;
  /** Noise level that a network with time conditioning is told. */
  readonly sigma: number;
}

/** How noise is drawn, so that the mean over draws of the weighted losses is the bound. */
export type Estimator =
  /**
   * In every block of n tokens, k masks with k uniform from 1 to n, any choice of k alike. Each one
   * counts n / k: the log-linear bound, with the noise of how many masks a time brings taken out.
   *
   * Source: Arriola et al. 2025, the loss of a block for α = 1 − t with its integral over t taken.
   */
  | { readonly type: "counts" }
  /**
   * A time t for every block; each token masked with the schedule's move chance.
   *
   * Source: Arriola et al. 2025, "Block Diffusion", equation 8.
   */
  | {
    readonly type: "times";
    readonly schedule: NoiseSchedule;
    /** Between which times are drawn. */
    readonly times: readonly [number, number];
  };

/** Where the blocks with a token to score begin. */
export function scoredBlocks({ x0, given, blockSize }: Text): number[] {
  const first = Math.floor(given / blockSize);
  const blocks = Math.ceil(x0.length / blockSize) - first;
  return Array.from({ length: Math.max(0, blocks) }, (_, i) => (first + i) * blockSize);
}

/**
 * Draws a noisy copy. By counts all blocks of one token are masked, whatever is drawn.
 *
 * @param options `draw` below 2^20: numbers the copies of a text. `position` of the text's first
 * token among other texts: what is drawn depends on it, the draw and the seed.
 */
export function drawCopy(
  text: Text,
  { estimator, maskToken, seed, draw, position = 0 }: {
    readonly estimator: Estimator;
    readonly maskToken: number;
    readonly seed: number;
    readonly draw: number;
    readonly position?: number;
  },
): NoisyCopy {
  const uniform = (stream: Stream, place: number) =>
    uniformAt(seed, { choice: 0, step: draw, stream, position: position + place });
  const blocks = scoredBlocks(text);
  // The blocks of a draw share the range of noise evenly, in an order that is drawn as well.
  const places = blocks.map((begin) => uniform("time", begin));
  const parts = orderOf(blocks.map((begin) => uniform("token", begin)));
  const ofBlocks = stratify(places, parts);
  const ofTokens = text.x0.map((_, place) => uniform("order", place));
  if (estimator.type === "counts") return maskCounts(text, { ofBlocks, ofTokens, maskToken });
  const { schedule, times: range } = estimator;
  const times = ofBlocks.map((each) => timeAt(each, range));
  return maskAtTimes(text, { schedule, times, ofTokens, maskToken });
}

/**
 * The copy in which every block has a number of masks.
 *
 * @param options Uniform numbers: `ofBlocks`, of those with a token to score, say how many masks,
 * `ofTokens` which ones, those with the smallest numbers.
 */
export function maskCounts(
  text: Text,
  { ofBlocks, ofTokens, maskToken }: {
    readonly ofBlocks: readonly number[];
    readonly ofTokens: readonly number[];
    readonly maskToken: number;
  },
): NoisyCopy {
  const xt = [...text.x0];
  const weights = new Float64Array(xt.length);
  let sigma = 0;
  for (const [i, scored] of scoredTokens(text).entries()) {
    const count = 1 + Math.floor(ofBlocks[i]! * scored.length);
    const order = scored.toSorted((a, b) => ofTokens[a]! - ofTokens[b]!);
    for (const place of order.slice(0, count)) {
      xt[place] = maskToken;
      weights[place] = scored.length / count;
    }
    if (i === 0) sigma = noiseLevel(count / scored.length);
  }
  return { xt, weights, sigma };
}

/**
 * The copy in which every block has the noise of a time.
 *
 * @param options `times` of the blocks with a token to score; `ofTokens`: uniform numbers, of which
 * those up to the move chance mask their token.
 */
export function maskAtTimes(
  text: Text,
  { schedule, times, ofTokens, maskToken }: {
    readonly schedule: NoiseSchedule;
    readonly times: readonly number[];
    readonly ofTokens: readonly number[];
    readonly maskToken: number;
  },
): NoisyCopy {
  const xt = [...text.x0];
  const weights = new Float64Array(xt.length);
  for (const [i, scored] of scoredTokens(text).entries()) {
    const time = times[i]!;
    const moveChance = schedule.moveChance(time);
    for (const place of scored.filter((each) => ofTokens[each]! <= moveChance)) {
      xt[place] = maskToken;
      weights[place] = schedule.lossWeight(time);
    }
  }
  // The official code takes the level of the first token for all, in training as well.
  return { xt, weights, sigma: noiseLevel(schedule.moveChance(times[0] ?? 0)) };
}

/** Places to score, block by block. */
function scoredTokens(text: Text): number[][] {
  const { x0, given, blockSize } = text;
  return scoredBlocks(text).map((begin) => {
    const from = Math.max(begin, given);
    const end = Math.min(begin + blockSize, x0.length);
    return Array.from({ length: end - from }, (_, i) => from + i);
  });
}

/** Indices in the order of their numbers, smallest first. */
function orderOf(numbers: readonly number[]): number[] {
  return [...numbers.keys()].toSorted((a, b) => numbers[a]! - numbers[b]!);
}
