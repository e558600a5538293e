import { adamw, judgeStep, squareSumCount, squareSums } from "../../kernels/training/mod.ts";
import type { Gpu, Pass, Tensor } from "../gpu/mod.ts";
import type { Parameters } from "./parameters.ts";

/** How weights follow gradients. */
export interface OptimizerSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest norm of the gradient that is not scaled down. */
  readonly clip: number;
  /** What the moving average of the weights keeps of itself, in the long run. */
  readonly averaging: number;
}

/** Those of the official recipe. Source: kuleshov-group/bd3lms, `configs/config.yaml`. */
export const OPTIMIZER: OptimizerSettings = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clip: 1,
  averaging: 0.9999,
};

/** Words of a verdict: see `judge_step.wgsl`. */
export const VERDICT_WORDS = 4;

/** Moves the parameters against their gradients. */
export class Optimizer implements Disposable {
  /**
   * [4] f32, of the last update: loss, norm of the gradient, its scale, 1 where both are finite.
   */
  readonly verdict: Tensor;
  readonly #parameters: Parameters;
  readonly #settings: OptimizerSettings;
  readonly #sums: Tensor;

  constructor(gpu: Gpu, parameters: Parameters, settings: OptimizerSettings) {
    this.#parameters = parameters;
    this.#settings = settings;
    const sums = parameters.all.reduce((sum, each) => sum + squareSumCount(each.gradient), 0);
    this.#sums = gpu.tensor("square sums", [sums]);
    this.verdict = gpu.tensor("verdict", [VERDICT_WORDS]);
  }

  /**
   * Records an update, and gradients back to zero. Where the loss or the gradient is not finite,
   * nothing else changes.
   *
   * @param step `update` counts from 1.
   */
  update(
    pass: Pass,
    { losses, lossCount, rate, update }: {
      readonly losses: Tensor;
      readonly lossCount: number;
      readonly rate: number;
      readonly update: number;
    },
  ): void {
    let first = 0;
    for (const { gradient } of this.#parameters.all) {
      squareSums(pass, { x: gradient, sums: this.#sums, first });
      first += squareSumCount(gradient);
    }
    const { clip, weightDecay: decay, averaging, ...betas } = this.#settings;
    const verdict = this.verdict;
    judgeStep(pass, { losses, lossCount, sums: this.#sums, clip, verdict });
    const average = averageAt(update, averaging);
    for (const parameter of this.#parameters.all) {
      adamw(pass, parameter, { verdict, step: { ...betas, rate, decay, update, average } });
    }
  }

  [Symbol.dispose](): void {
    this.verdict[Symbol.dispose]();
    this.#sums[Symbol.dispose]();
  }
}

/**
 * What the average keeps of itself at an update: little at first, so that it forgets where it
 * began.
 *
 * Source: kuleshov-group/bd3lms, `models/ema.py`.
 */
export function averageAt(update: number, averaging: number): number {
  return Math.min(averaging, (1 + update) / (10 + update));
}
