import { defineKernel, expectShape, type Pass, type Tensor } from "../src/gpu/mod.ts";
import barriers from "./lane_sums/barriers.wgsl" with { type: "text" };
import subgroup from "./lane_sums/subgroup.wgsl" with { type: "text" };
import source from "./qk_norm.wgsl" with { type: "text" };
import { ROPE_STORES, type RopeStore, ropeStoreOperands } from "./rope_store.ts";

const withBarriers = {
  f32: defineKernel("qk_norm", source, barriers, ...ROPE_STORES.f32),
  f16: defineKernel("qk_norm", source, barriers, ...ROPE_STORES.f16),
};
const bySubgroup = {
  f32: defineKernel("qk_norm", source, subgroup, ...ROPE_STORES.f32),
  f16: defineKernel("qk_norm", source, subgroup, ...ROPE_STORES.f16),
};

/** Operands of {@linkcode qkNorm}. */
export interface QkNorm extends RopeStore {
  /** [rows, (heads + 2 · key/value heads) · head] f32: q, k and v, head by head, zero in the padding. */
  readonly x: Tensor;
  readonly counts: Tensor;
  /** [2 · head] f32: of q's heads, then of k's, in the order of the components of `x`. */
  readonly gain: Tensor;
  /** Components of a head that count; the others are padding. */
  readonly headSize: number;
  /** Added to the mean square before the root. */
  readonly epsilon: number;
}

/**
 * Records the norm of every head of q and k of the live rows, then their rotation; k and v go to the
 * cache.
 *
 * @returns Rotated q, [rows, heads · head] f32, scratch of `pass`.
 * @throws {TypeError} If `x` or `gain` do not have the cache's heads.
 */
export function qkNorm(pass: Pass, operands: QkNorm): Tensor {
  const { x, counts, gain, headSize, epsilon } = operands;
  const [bound = 0, columns = 0] = x.shape;
  const { format, heads, sharedHeads, head, tensors, constants } = ropeStoreOperands(
    operands,
    columns,
  );
  expectShape(gain, [2 * head]);
  const y = pass.scratch("q", [bound, heads * head]);
  const isShared = pass.gpu.deviceClass === "cpu with subgroups";
  pass.dispatch((isShared ? bySubgroup : withBarriers)[format], {
    tensors: { x, counts, gain, y, ...tensors },
    constants: { ...constants, WIDTH: headSize, EPSILON: epsilon },
    workgroups: [heads + 2 * sharedHeads, bound],
  });
  return y;
}
