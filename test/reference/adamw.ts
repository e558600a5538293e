/** The optimiser in plain loops and float64. */
import type { Numbers } from "./forward.ts";

/** A parameter and what the optimiser keeps of it. */
export interface AdamState {
  readonly weight: Float64Array;
  readonly m: Float64Array;
  readonly v: Float64Array;
  readonly average: Float64Array;
}

/** The settings of {@linkcode adamwStep}. */
export interface AdamSettings {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  /** Counts updates from 1. */
  readonly update: number;
  readonly average: number;
}

/** The state before the first step. */
export function adamState(weight: Numbers): AdamState {
  const zeros = () => new Float64Array(weight.length);
  const copy = () => Float64Array.from(weight);
  return { weight: copy(), m: zeros(), v: zeros(), average: copy() };
}

/**
 * Takes one step of AdamW, in place.
 *
 * Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
 */
export function adamwStep(
  { weight, m, v, average }: AdamState,
  gradient: Numbers,
  { rate, beta1, beta2, epsilon, decay, update, average: keep }: AdamSettings,
): void {
  for (let i = 0; i < weight.length; i++) {
    m[i] = beta1 * m[i]! + (1 - beta1) * gradient[i]!;
    v[i] = beta2 * v[i]! + (1 - beta2) * gradient[i]! ** 2;
    const mean = m[i]! / (1 - beta1 ** update);
    const deviation = Math.sqrt(v[i]! / (1 - beta2 ** update));
    weight[i]! -= rate * (mean / (deviation + epsilon) + decay * weight[i]!);
    average[i] = keep * average[i]! + (1 - keep) * weight[i]!;
  }
}

/** What scales gradients of this norm so that it is at most `clip`. */
export function clipScale(gradients: Iterable<Numbers>, clip: number): number {
  let squares = 0;
  for (const gradient of gradients) {
    for (let i = 0; i < gradient.length; i++) squares += gradient[i]! ** 2;
  }
  return Math.min(1, clip / Math.sqrt(squares));
}
