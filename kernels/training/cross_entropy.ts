import { defineKernel, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import source from "./cross_entropy.wgsl" with { type: "text" };
import fillSource from "./fill_zero.wgsl" with { type: "text" };
import { defineByLaneSums, gridFor, laneSumsOf } from "./lanes.ts";

const kernels = defineByLaneSums("cross_entropy", source);
const fill = defineKernel("fill_zero", fillSource);

/** Operands of {@linkcode crossEntropy}. */
export interface CrossEntropy {
  /** [rows, columns] f32; becomes the derivative by the logits. */
  readonly logits: Tensor;
  /** [heads] u32 and f32. */
  readonly tokens: Tensor;
  readonly weights: Tensor;
  /** Heads that there are; those of `logits` are `first` and the following. */
  readonly heads: number;
  readonly first: number;
  /** Rows of `logits` to fill: what is beyond the heads becomes zero. */
  readonly rows: number;
  /** [≥ lossFirst + rows] f32. */
  readonly losses: Tensor;
  readonly lossFirst: number;
  /** Columns that are tokens, and the one that is the mask. */
  readonly vocabulary: number;
  readonly mask: number;
}

/** Records weight · −ln p(token) for rows of logits, and the derivative in place of them. */
export function crossEntropy(
  pass: Pass,
  operands: CrossEntropy,
  laneSums = laneSumsOf(pass),
): void {
  const { logits, tokens, weights, losses, heads, first, rows, lossFirst, mask } = operands;
  pass.dispatch(kernels[laneSums], {
    tensors: { tokens, weights, logits, losses },
    constants: { WIDTH4: logits.shape[1]! / 4, VOCABULARY: operands.vocabulary },
    params: { first, rows: heads, loss_first: lossFirst, mask },
    workgroups: [rows],
  });
}

/** Records y = 0. */
export function fillZero(pass: Pass, y: Tensor): void {
  const count = y.length / 4;
  const { workgroups, row } = gridFor(count);
  pass.dispatch(fill, { tensors: { y }, params: { count, row }, workgroups });
}
