import { drawCopy, type Estimator, type NoisyCopy, type Text } from "./noisy_copy.ts";
import type { Scorer, ScoringProgress } from "./scorer.ts";
import type { NoisyText } from "./scoring_plan.ts";

/** A bound on −ln p of the scored tokens of a text: the NELBO. */
export interface Bound {
  /** Tokens that were scored. */
  readonly tokens: number;
  /** Nats, the mean over draws. */
  readonly nelbo: number;
  /** Standard error of that mean over draws; 0 with one draw, and where there is no noise. */
  readonly error: number;
  /** Whether it is −ln p itself: blocks of one token know no noise. */
  readonly isExact: boolean;
  /** What each scored token has in `nelbo`, in their order; only where that was asked for. */
  readonly byToken?: readonly number[];
}

/** How bounds are drawn. */
export interface BoundOptions {
  readonly estimator: Estimator;
  /** Draws of the noise; one is taken where there is none. */
  readonly samples: number;
  readonly seed: number;
  /** Position of a text's first token among all, which its noise depends on; 0 where left out. */
  readonly positionOf?: (text: number) => number;
  /** Rows of the next pass at most. */
  readonly rowsOfPass?: () => number;
  /** Whether {@linkcode Bound.byToken} is wanted. */
  readonly byToken?: boolean;
}

/** A mean and its standard error. */
export interface Estimate {
  readonly mean: number;
  readonly error: number;
}

/** With blocks of one token it leaves nothing to chance. */
const EXACT: Estimator = { type: "counts" };

/** The mean of independent numbers and its standard error, 0 for a single one. */
export function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, each) => sum + each, 0) / count;
  const squares = values.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return { mean, error: count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0 };
}

/**
 * The weighted loss of a noisy copy, nats: in the mean over copies the bound.
 *
 * @param logP ln p of its masked tokens, by position.
 */
export function lossOf({ weights }: NoisyCopy, logP: ArrayLike<number>): number {
  return weights.reduce((sum, weight, i) => weight > 0 ? sum - weight * logP[i]! : sum, 0);
}

/** What each scored token has in the mean loss of a text's copies, nats. */
function lossesByToken({ x0, given, copies }: NoisyText, logP: readonly Float64Array[]): number[] {
  return x0.slice(given).map((_, i) => {
    const place = given + i;
    const sum = copies.reduce((total, { weights }, copy) => {
      const weight = weights[place]!;
      return weight > 0 ? total - weight * logP[copy]![place]! : total;
    }, 0);
    return sum / copies.length;
  });
}

/**
 * Bounds the negative log-likelihood of texts, and stops after every pass.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", equation 8.
 *
 * @throws {GpuError} If the device failed.
 * @throws {NotFiniteError} If the network gave no finite numbers.
 */
export async function* boundsOf(
  scorer: Scorer,
  texts: readonly Text[],
  options: BoundOptions,
): AsyncGenerator<ScoringProgress, Bound[]> {
  const { estimator, samples, seed, positionOf = () => 0, rowsOfPass, byToken } = options;
  const { maskToken } = scorer.network.config;
  const noisy = texts.map((text, i) => {
    const isExact = text.blockSize === 1;
    const draws = Array.from({ length: isExact ? 1 : samples }, (_, draw) => draw);
    const noise = isExact ? EXACT : estimator;
    const drawing = { estimator: noise, maskToken, seed, position: positionOf(i) };
    return { ...text, copies: draws.map((draw) => drawCopy(text, { ...drawing, draw })) };
  });
  const logP = yield* scorer.score(noisy, { ...(rowsOfPass && { rowsOfPass }) });
  return noisy.map((text, i) => {
    const { x0, given, blockSize, copies } = text;
    const { mean, error } = estimate(copies.map((copy, draw) => lossOf(copy, logP[i]![draw]!)));
    const bound = { tokens: x0.length - given, nelbo: mean, error, isExact: blockSize === 1 };
    return byToken ? { ...bound, byToken: lossesByToken(text, logP[i]!) } : bound;
  });
}
