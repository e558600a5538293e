import { defineKernel, expectShape, type Pass, type Tensor } from "../src/gpu/mod.ts";
import counted from "./counted.wgsl" with { type: "text" };
import headFields from "./heads.wgsl" with { type: "text" };
import barriers from "./lane_sums/barriers.wgsl" with { type: "text" };
import subgroup from "./lane_sums/subgroup.wgsl" with { type: "text" };
import source from "./layer_norm.wgsl" with { type: "text" };
import octetFields from "./octet.wgsl" with { type: "text" };
import narrow from "./octet_loads/narrow.wgsl" with { type: "text" };
import wide from "./octet_loads/wide.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import wideLoads from "./wide_loads.wgsl" with { type: "text" };

const fragments = [octetFields, counted, rowFields, headFields];
const withBarriers = defineKernel("layer_norm", source, barriers, narrow, ...fragments);
const bySubgroup = defineKernel("layer_norm", source, subgroup, wide, wideLoads, ...fragments);

/**
 * Floats from one condition's row of a modulation to the next: none where it has a single row, which
 * then serves all conditions.
 */
export function modulationStride({ shape: [conditions, width] }: Tensor): number {
  return conditions === 1 ? 0 : width!;
}

/** Operands of {@linkcode layerNorm}. */
export interface LayerNorm {
  /** [rows, width] f32, zero beyond `features`. */
  readonly x: Tensor;
  readonly rows: Tensor;
  readonly counts: Tensor;
  /** [width] f32, zero beyond `features`. */
  readonly gain: Tensor;
  /** [conditions, …] f32: shift and scale of every noise level. */
  readonly modulation: Tensor;
  /** First columns of shift and scale in `modulation`, multiples of 8 as its width is. */
  readonly shift: number;
  readonly scale: number;
  /** Columns that count; the others are padding. */
  readonly features: number;
  /** Added to the variance before the root. */
  readonly epsilon: number;
  /** The table of heads, where the rows of `x` are those of heads. */
  readonly heads?: Tensor;
}

/**
 * Records the layer norm of every live row, with its gain and its condition's scale and shift.
 *
 * @returns [rows, width] f32, scratch of `pass`.
 * @throws {TypeError} If `gain` is not as wide as `x`.
 */
export function layerNorm(pass: Pass, operands: LayerNorm): Tensor {
  const { x, rows, counts, gain, modulation, shift, scale, features, epsilon, heads } = operands;
  const [bound = 0, width = 0] = x.shape;
  expectShape(gain, [width]);
  const y = pass.scratch("layer_norm", [bound, width]);
  const isShared = pass.gpu.deviceClass === "cpu with subgroups";
  pass.dispatch(isShared ? bySubgroup : withBarriers, {
    // Where all rows are meant the table of heads is bound and not read.
    tensors: { x, rows, counts, gain, modulation, y, heads: heads ?? rows },
    constants: {
      WIDTH: features,
      STRIDE8: width / 8,
      MODULATION: modulationStride(modulation),
      EPSILON: epsilon,
    },
    params: { shift, scale, counted: heads ? 1 : 0 },
    workgroups: [bound],
  });
  return y;
}
