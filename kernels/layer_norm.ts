import { defineKernel, expectShape, type Pass, type Tensor } from "../src/gpu/mod.ts";
import headFields from "./heads.wgsl" with { type: "text" };
import source from "./layer_norm.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import fromHeads from "./sources/heads.wgsl" with { type: "text" };
import fromRows from "./sources/rows.wgsl" with { type: "text" };

const ofRows = defineKernel("layer_norm", source, rowFields, fromRows);
const ofHeads = defineKernel("layer_norm", source, rowFields, headFields, fromHeads);

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
  /** First columns of shift and scale in `modulation`. */
  readonly shift: number;
  readonly scale: number;
  /** Columns that count; the others are padding. */
  readonly features: number;
  /** Added to the variance before the root. */
  readonly epsilon: number;
  /** Normalises only the rows of these heads, in their order: [bound] heads. */
  readonly heads?: { readonly table: Tensor; readonly bound: number };
}

/**
 * Records the layer norm of every live row, with its gain and its condition's scale and shift.
 *
 * @returns [rows, width] f32, or [heads, width]; scratch of `pass`.
 * @throws {TypeError} If `gain` is not as wide as `x`.
 */
export function layerNorm(pass: Pass, operands: LayerNorm): Tensor {
  const { x, rows, counts, gain, modulation, shift, scale, features, epsilon, heads } = operands;
  const [bound = 0, width = 0] = x.shape;
  expectShape(gain, [width]);
  const y = pass.scratch("layer_norm", [heads?.bound ?? bound, width]);
  pass.dispatch(heads ? ofHeads : ofRows, {
    tensors: { x, rows, counts, gain, modulation, y, ...(heads && { heads: heads.table }) },
    constants: {
      WIDTH: features,
      STRIDE4: width / 4,
      MODULATION: modulationStride(modulation),
      COUNTED: heads ? 1 : 0,
      EPSILON: epsilon,
    },
    params: { shift, scale },
    workgroups: [heads?.bound ?? bound],
  });
  return y;
}
