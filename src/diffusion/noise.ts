/**
 * How masks come into a text: α(t), the share of tokens still unmasked at time t, falls from 1 at
 * time 0 to 0 at time 1.
 */
export interface NoiseSchedule {
  /** 1 − α(t): how likely a token is masked at time t. */
  readonly moveChance: (t: number) => number;
  /** −α′(t) / (1 − α(t)): what the loss of a masked token counts at time t. */
  readonly lossWeight: (t: number) => number;
}

/** Times that are drawn: all but the very first, where weights have no bound. */
export const TIMES: readonly [number, number] = [1e-3, 1];

/** What the official code adds to move chances, or holds them above, to bound the weights. */
const EPSILON = 1e-3;

/** α = 1 − t: all numbers of masks are equally likely. */
const loglinear: NoiseSchedule = { moveChance: (t) => t, lossWeight: (t) => 1 / t };

/** α = (1 − ε) cos(π t / 2): few masks for longer. */
const cosine: NoiseSchedule = {
  moveChance: (t) => 1 - (1 - EPSILON) * Math.cos(Math.PI / 2 * t),
  lossWeight: (t) => {
    const slope = (1 - EPSILON) * Math.PI / 2 * Math.sin(Math.PI / 2 * t);
    return slope / (cosine.moveChance(t) + EPSILON);
  },
};

/** α = 1 − t^power: few masks for longer, or where the power is below 1, many soon. */
function power(power: number): NoiseSchedule {
  const moveChance = (t: number) => Math.max(t ** power, EPSILON);
  return { moveChance, lossWeight: (t) => power * t ** (power - 1) / moveChance(t) };
}

/** α = 1 − ln(1 + t) / ln 2: a little more masks than log-linear. */
const logarithmic: NoiseSchedule = {
  moveChance: (t) => Math.log1p(t) / Math.LN2,
  lossWeight: (t) => 1 / (Math.log1p(t) * (1 + t)),
};

/**
 * Every noise schedule by its name.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", table 8; kuleshov-group/bd3lms,
 * `noise_schedule.py`, whose ε this is, and whose weights count negative.
 */
export const NOISE_SCHEDULES = {
  loglinear,
  cosine,
  square: power(2),
  square_root: power(1 / 2),
  logarithmic,
} as const;

/** Name of a noise schedule. */
export type NoiseScheduleName = keyof typeof NOISE_SCHEDULES;

/**
 * The log-linear schedule with times from U[β, ω] only, which narrows the variance of the loss. It
 * is what models are trained with; its loss is no bound.
 *
 * Source: Arriola et al. 2025, section 5.3; kuleshov-group/bd3lms, `diffusion.py`: the weight has no
 * 1 / (ω − β), and is 1 where β is above a half.
 */
export function clipped(
  beta: number,
  omega: number,
): NoiseSchedule & { readonly times: readonly [number, number] } {
  const { moveChance, lossWeight } = loglinear;
  return {
    moveChance,
    lossWeight: beta > 0.5 ? () => 1 : lossWeight,
    times: [beta, omega],
  };
}

/**
 * Numbers in [0, 1), one in each of as many equal parts: evenly spread, so that their mean has less
 * noise than that of independent numbers.
 *
 * @param uniforms Independent numbers in [0, 1): the places within the parts.
 * @param parts Which part each one lies in, each part once; in order where left out.
 */
export function stratify(
  uniforms: readonly number[],
  parts: readonly number[] = [...uniforms.keys()],
): number[] {
  return uniforms.map((u, i) => (u + parts[i]!) / uniforms.length % 1);
}

/**
 * The noise level σ that networks are conditioned on, from the share of masks.
 *
 * Source: BD3-LM, `_sigma_from_p`, which ends at −ln ε.
 */
export function noiseLevel(moveChance: number): number {
  return Math.min(-Math.log1p(-moveChance), -Math.log(EPSILON));
}

/** The time that a number in [0, 1) stands for among those that are drawn. */
export function timeAt(uniform: number, [least, most]: readonly [number, number] = TIMES): number {
  return least + (most - least) * uniform;
}
