import { defineKernel, expectShape, type Pass, type Tensor } from "../src/gpu/mod.ts";
import barriers from "./lane_sums/barriers.wgsl" with { type: "text" };
import subgroup from "./lane_sums/subgroup.wgsl" with { type: "text" };
import octetFields from "./octet.wgsl" with { type: "text" };
import narrow from "./octet_loads/narrow.wgsl" with { type: "text" };
import wide from "./octet_loads/wide.wgsl" with { type: "text" };
import source from "./rms_norm.wgsl" with { type: "text" };
import wideLoads from "./wide_loads.wgsl" with { type: "text" };

const withBarriers = defineKernel("rms_norm", source, barriers, narrow, octetFields);
const bySubgroup = defineKernel("rms_norm", source, subgroup, wide, wideLoads, octetFields);

/** Operands of {@linkcode rmsNorm}. */
export interface RmsNorm {
  /** [rows, width] f32, zero beyond `features`. */
  readonly x: Tensor;
  readonly counts: Tensor;
  /** Which of the counts bounds the rows of `x`; `rows` where left out. */
  readonly counted?: "rows" | "heads";
  /** [width] f32. */
  readonly gain: Tensor;
  /** Columns that count; the others are padding. */
  readonly features: number;
  /** Added to the mean square before the root. */
  readonly epsilon: number;
}

/**
 * Records the root-mean-square norm of every live row.
 *
 * @returns [rows, width] f32, scratch of `pass`.
 * @throws {TypeError} If `gain` is not as wide as `x`.
 */
export function rmsNorm(pass: Pass, operands: RmsNorm): Tensor {
  const { x, counts, counted = "rows", gain, features, epsilon } = operands;
  const [bound = 0, width = 0] = x.shape;
  expectShape(gain, [width]);
  const y = pass.scratch("rms_norm", [bound, width]);
  const isShared = pass.gpu.deviceClass === "cpu with subgroups";
  pass.dispatch(isShared ? bySubgroup : withBarriers, {
    tensors: { x, counts, gain, y },
    constants: { WIDTH: features, STRIDE8: width / 8, EPSILON: epsilon },
    params: { counted: counted === "rows" ? 0 : 1 },
    workgroups: [bound],
  });
  return y;
}
