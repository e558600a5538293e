import { defineKernel, expectShape, type Kernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import type { LinearWeight, WeightFormat } from "../src/weights/formats.ts";
import gated from "./epilogues/gated_residual.wgsl" with { type: "text" };
import gelu from "./epilogues/gelu.wgsl" with { type: "text" };
import none from "./epilogues/none.wgsl" with { type: "text" };
import silu from "./epilogues/silu.wgsl" with { type: "text" };
import { modulationStride } from "./layer_norm.ts";
import portable from "./linear.wgsl" with { type: "text" };
import subgroup from "./linear_subgroup.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import tile1 from "./tiles/1x4.wgsl" with { type: "text" };
import tile4 from "./tiles/4x4.wgsl" with { type: "text" };
import tile8 from "./tiles/8x4.wgsl" with { type: "text" };
import f16 from "./weights/f16.wgsl" with { type: "text" };
import f32 from "./weights/f32.wgsl" with { type: "text" };

const FORMATS: Record<WeightFormat, string> = { f32, f16 };
const EPILOGUES = { none, gelu, silu, gated: `${gated}\n${rowFields}` };
const TILES: Record<number, string> = { 1: tile1, 4: tile4, 8: tile8 };
/** Columns that one workgroup of either kernel covers: 32 lanes with 4 panels each. */
const COLUMNS = 128;

/** Rows of a tile of linear_subgroup.wgsl, and the lanes that share them. */
const SUBGROUP_ROWS = 8;

const kernels = new Map<string, Kernel>();

/** How many rows an invocation sums, and by which kernel. All of them sum in the same order. */
interface Variant {
  readonly rows: number;
  readonly usesSubgroups: boolean;
}

function chooseVariant(rows: number, subgroupSize: number | null): Variant {
  if (rows > 1 && subgroupSize === SUBGROUP_ROWS) {
    return { rows: SUBGROUP_ROWS, usesSubgroups: true };
  }
  return { rows: rows <= 1 ? 1 : rows <= 4 ? 4 : 8, usesSubgroups: false };
}

function kernelFor(
  { rows, usesSubgroups }: Variant,
  format: WeightFormat,
  epilogue: keyof typeof EPILOGUES,
): Kernel {
  const key = `${rows} ${usesSubgroups} ${format} ${epilogue}`;
  const fragments = [FORMATS[format], EPILOGUES[epilogue]];
  const kernel = kernels.get(key) ??
    (usesSubgroups
      ? defineKernel("linear_subgroup", subgroup, ...fragments)
      : defineKernel("linear", portable, ...fragments, TILES[rows]!)); // One of its keys.
  kernels.set(key, kernel);
  return kernel;
}

/** Adds the result, times a gate, to a tensor in place. */
export interface GatedResidual {
  /** [rows, outputs] f32, read and written. */
  readonly into: Tensor;
  /** Rows of the pass: their condition picks the gate. */
  readonly rows: Tensor;
  /** [conditions, width] f32. */
  readonly modulation: Tensor;
  /** First column of the gate in `modulation`. */
  readonly gate: number;
}

/** Operands of {@linkcode linear}. */
export interface Linear {
  /** [rows, inputs] f32. */
  readonly x: Tensor;
  readonly weight: LinearWeight;
  /** Live rows and heads of the pass. */
  readonly counts: Tensor;
  /** Which of the counts bounds the rows of `x`; `rows` where left out. */
  readonly counted?: "rows" | "heads";
  /** Rows of `x` to pass over, and how many follow; all where left out. */
  readonly part?: { readonly skip: number; readonly rows: number };
  readonly epilogue?: "none" | "gelu" | "silu" | GatedResidual;
}

/**
 * Records y = epilogue(x Wᵀ + bias) for the live rows.
 *
 * @returns [rows, outputs] f32, scratch of `pass`; the residual itself with a gated one.
 * @throws {TypeError} If `x` is not as wide as the weight's inputs.
 */
export function linear(pass: Pass, operands: Linear): Tensor {
  const { x, weight, counts, counted = "rows", epilogue = "none" } = operands;
  const [bound = 0] = x.shape;
  expectShape(x, [bound, weight.inputs]);
  const { skip, rows } = operands.part ?? { skip: 0, rows: bound };
  const residual = typeof epilogue === "string" ? null : epilogue;
  if (residual) expectShape(residual.into, [rows, weight.outputs]);
  const y = residual?.into ?? pass.scratch("linear", [rows, weight.outputs]);
  const variant = chooseVariant(rows, pass.gpu.subgroupSize);
  const kernel = kernelFor(variant, weight.format, residual ? "gated" : epilogue as "none");
  for (const { first, outputs, weight: panels, bias } of weight.parts) {
    pass.dispatch(kernel, {
      tensors: {
        x,
        counts,
        bias,
        y,
        weight: panels,
        ...(residual && { rows: residual.rows, modulation: residual.modulation }),
      },
      constants: {
        COUNTED: counted === "rows" ? 0 : 1,
        ...(residual && { MODULATION: modulationStride(residual.modulation), GATE: residual.gate }),
      },
      params: { k: weight.inputs, panels: outputs / 8, first, stride: weight.outputs, skip },
      workgroups: [Math.ceil(rows / variant.rows), Math.ceil(outputs / COLUMNS)],
    });
  }
  return y;
}
