import { defineKernel, expectShape, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import { columnSums, normalizedColumnSums } from "./columns.ts";
import conditionSource from "./conditions.wgsl" with { type: "text" };
import {
  conditionParams,
  type Conditions,
  type Gather,
  type Segments,
  widthConstants,
} from "./conditions.ts";
import { defineByLaneSums, laneSumsOf } from "./lanes.ts";
import source from "./layer_norm.wgsl" with { type: "text" };
import backwardSource from "./layer_norm_backward.wgsl" with { type: "text" };
import parametersSource from "./norm_parameters.wgsl" with { type: "text" };

const forward = defineByLaneSums("layer_norm", source, conditionSource);
const backward = defineByLaneSums("layer_norm_backward", backwardSource, conditionSource);
const parameters = defineKernel("norm_parameters", parametersSource);

/** A norm with its own gain, and the shift and scale of a row's condition. */
export interface Norm {
  /** [width] f32. */
  readonly gain: Tensor;
  readonly conditions: Conditions;
  /** First columns of shift and scale in the modulation. */
  readonly shift: number;
  readonly scale: number;
  /** Rows of `x` to take; all where left out. */
  readonly gather?: Gather | undefined;
  /** Rows from the first on, in place of all; not with `gather`. */
  readonly rows?: number;
}

/** What the norm gives, and its way back needs. */
export interface Normalized extends Disposable {
  /** [rows, width] f32. */
  readonly h: Tensor;
  /** [rows, 2] f32: mean, 1 / deviation. */
  readonly statistics: Tensor;
}

/** Records the norm of `x`, [rows, width] f32. @returns Scratch of `pass`. */
export function layerNorm(
  pass: Pass,
  { x, epsilon, ...norm }: Norm & { readonly x: Tensor; readonly epsilon: number },
  laneSums = laneSumsOf(pass),
): Normalized {
  const width = x.shape[1]!;
  expectShape(norm.gain, [width]);
  const rows = rowsOf(x, norm);
  const h = pass.scratch("layer_norm", [rows, width]);
  const statistics = pass.scratch("statistics", [rows, 2]);
  pass.dispatch(forward[laneSums], {
    tensors: { x, h, statistics, ...operandsOf(norm) },
    constants: { ...widthConstants(width, norm.conditions), EPSILON: epsilon },
    params: { shift: norm.shift, scale: norm.scale, ...paramsOf(norm) },
    workgroups: [rows],
  });
  return {
    h,
    statistics,
    [Symbol.dispose]: () => [h, statistics].forEach((each) => each[Symbol.dispose]()),
  };
}

/** Operands of {@linkcode layerNormBackward}. */
export interface NormBackward extends Norm {
  /** [rows, width] f32. */
  readonly dh: Tensor;
  /** What the norm was of, and what it left. */
  readonly x: Tensor;
  readonly statistics: Tensor;
  /** [rows of the pass, width] f32; the derivative by `x` is added to it. */
  readonly dx: Tensor;
  readonly segments: Segments;
  /** [width] f32; the derivative by the gain is added to it. */
  readonly gainGradient: Tensor;
  /** Like the modulation: takes the derivatives by shifts and scales. */
  readonly dModulation: Tensor;
}

/** Records the way back through {@linkcode layerNorm}. */
export function layerNormBackward(
  pass: Pass,
  operands: NormBackward,
  laneSums = laneSumsOf(pass),
): void {
  const { dh, x, statistics, dx, segments, gainGradient, dModulation, ...norm } = operands;
  const width = x.shape[1]!;
  const rows = rowsOf(x, norm);
  pass.dispatch(backward[laneSums], {
    tensors: { dh, x, statistics, dx, ...operandsOf(norm) },
    constants: widthConstants(width, norm.conditions),
    params: { scale: norm.scale, ...paramsOf(norm) },
    workgroups: [rows],
  });
  using shifts = columnSums(pass, { a: dh, rows, segments });
  const sums = { a: dh, rows, segments, x, statistics, gather: norm.gather };
  using scales = normalizedColumnSums(pass, sums);
  const { modulation, isShared, sequences } = norm.conditions;
  pass.dispatch(parameters, {
    tensors: {
      ...{ shifts, scales, gain: norm.gain, modulation },
      ...{ d_gain: gainGradient, d_modulation: dModulation },
    },
    constants: widthConstants(width, norm.conditions),
    params: {
      segments: segments.segments,
      conditions: isShared ? 1 : sequences,
      ...{ shift: norm.shift, scale: norm.scale },
    },
    workgroups: [Math.ceil(width / 32)],
  });
}

function rowsOf(x: Tensor, { gather, rows }: Norm): number {
  return gather?.rows ?? rows ?? x.shape[0]!;
}

function operandsOf({ gain, conditions: { modulation }, gather }: Norm) {
  // Where all rows are meant the table is bound and not read.
  return { gain, modulation, rows: gather?.table ?? gain };
}

function paramsOf({ conditions, gather }: Norm) {
  return { ...conditionParams(conditions), gathers: gather ? 1 : 0 };
}
