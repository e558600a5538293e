import { defineKernel, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import adamwSource from "./adamw.wgsl" with { type: "text" };
import judgeSource from "./judge_step.wgsl" with { type: "text" };
import { defineByLaneSums, gridFor, laneSumsOf } from "./lanes.ts";
import squareSource from "./square_sums.wgsl" with { type: "text" };

const squares = defineByLaneSums("square_sums", squareSource);
const judge = defineByLaneSums("judge_step", judgeSource);
const update = defineKernel("adamw", adamwSource);

/** Vectors of 4 whose squares one workgroup sums. */
const SHARE = 8192;

/** Partial sums that the squares of `x` take. */
export function squareSumCount(x: Tensor): number {
  return Math.ceil(x.length / 4 / SHARE);
}

/** Records sums of squares of `x`, {@linkcode squareSumCount} of them, at `first` of `sums`. */
export function squareSums(
  pass: Pass,
  { x, sums, first }: { readonly x: Tensor; readonly sums: Tensor; readonly first: number },
): void {
  pass.dispatch(squares[laneSumsOf(pass)], {
    tensors: { x, partial_sums: sums },
    params: { count: x.length / 4, share: SHARE, first },
    workgroups: [squareSumCount(x)],
  });
}

/** Records the loss, the norm and what they say of the step: `verdict`, [4] f32. */
export function judgeStep(
  pass: Pass,
  { losses, lossCount, sums, clip, verdict }: {
    readonly losses: Tensor;
    readonly lossCount: number;
    /** Of squares of the whole gradient. */
    readonly sums: Tensor;
    /** Largest norm that is left as it is. */
    readonly clip: number;
    readonly verdict: Tensor;
  },
): void {
  pass.dispatch(judge[laneSumsOf(pass)], {
    tensors: { losses, partial_sums: sums, verdict },
    params: { loss_count: lossCount, sum_count: sums.length, clip },
    workgroups: [1],
  });
}

/** A parameter with all that training keeps of it; tensors of one shape. */
export interface Moments {
  readonly weight: Tensor;
  readonly gradient: Tensor;
  readonly firstMoment: Tensor;
  readonly secondMoment: Tensor;
  readonly averaged: Tensor;
}

/** How one step moves. */
export interface AdamStep {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  /** Counts the updates, this one included. */
  readonly update: number;
  /** What the moving average keeps of itself. */
  readonly average: number;
}

/** Records one step of AdamW on a parameter, as far as the `verdict` allows. */
export function adamw(
  pass: Pass,
  { weight, gradient, firstMoment, secondMoment, averaged }: Moments,
  { verdict, step }: { readonly verdict: Tensor; readonly step: AdamStep },
): void {
  const { rate, beta1, beta2, epsilon, decay, average } = step;
  const count = Math.ceil(weight.length / 4);
  const { workgroups, row } = gridFor(count);
  pass.dispatch(update, {
    tensors: {
      ...{ verdict, gradient, weight, averaged },
      ...{ first_moment: firstMoment, second_moment: secondMoment },
    },
    params: {
      ...{ count, row, rate, beta1, beta2, epsilon, decay, average },
      correction1: 1 / (1 - beta1 ** step.update),
      correction2: 1 / (1 - beta2 ** step.update),
    },
    workgroups,
  });
}
