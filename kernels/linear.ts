import { defineKernel, expectShape, type Kernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import type { LinearWeight, WeightFormat } from "../src/weights/formats.ts";
import gated from "./epilogues/gated_residual.wgsl" with { type: "text" };
import gelu from "./epilogues/gelu.wgsl" with { type: "text" };
import none from "./epilogues/none.wgsl" with { type: "text" };
import silu from "./epilogues/silu.wgsl" with { type: "text" };
import { modulationStride } from "./layer_norm.ts";
import source from "./linear.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import tile1 from "./tiles/1x4.wgsl" with { type: "text" };
import tile4 from "./tiles/4x4.wgsl" with { type: "text" };
import tile8 from "./tiles/8x4.wgsl" with { type: "text" };
import f16 from "./weights/f16.wgsl" with { type: "text" };
import f32 from "./weights/f32.wgsl" with { type: "text" };

const FORMATS: Record<WeightFormat, string> = { f32, f16 };
const EPILOGUES = { none, gelu, silu, gated: `${gated}\n${rowFields}` };
const TILES: Record<number, string> = { 1: tile1, 4: tile4, 8: tile8 };
/** Columns that one workgroup of linear.wgsl covers: 32 lanes with 4 panels each. */
const COLUMNS = 128;

const kernels = new Map<string, Kernel>();

function kernelFor(tile: number, format: WeightFormat, epilogue: keyof typeof EPILOGUES): Kernel {
  const key = `${tile} ${format} ${epilogue}`;
  const kernel = kernels.get(key) ??
    defineKernel("linear", source, FORMATS[format], EPILOGUES[epilogue], TILES[tile]!);
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
  // Every tile sums in the same order: the height changes the speed alone.
  const tile = rows <= 1 ? 1 : rows <= 4 ? 4 : 8;
  const kernel = kernelFor(tile, weight.format, residual ? "gated" : epilogue as "none");
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
      workgroups: [Math.ceil(rows / tile), Math.ceil(outputs / COLUMNS)],
    });
  }
  return y;
}
