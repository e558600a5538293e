import { defineKernel, type Kernel, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import random from "../random.wgsl" with { type: "text" };
import source from "./column_sums.wgsl" with { type: "text" };
import normalized from "./columns/normalized.wgsl" with { type: "text" };
import ones from "./columns/ones.wgsl" with { type: "text" };
import update from "./columns/update.wgsl" with { type: "text" };
import type { Conditions, Gather, Segments } from "./conditions.ts";
import dropoutSource from "./dropout.wgsl" with { type: "text" };
import { type Dropout, dropoutParams } from "./residual.ts";
import sumSource from "./sum_segments.wgsl" with { type: "text" };

const plainSums = defineKernel("column_sums", source, ones);
const normalizedSums = defineKernel("column_sums", source, normalized);
const updateSums = defineKernel("column_sums", source, update, dropoutSource, random);
const sumKernel = defineKernel("sum_segments", sumSource);

/** What is summed: rows of `a`, segment by segment. */
export interface ColumnSums {
  /** [≥ rows, width] f32. */
  readonly a: Tensor;
  readonly rows: number;
  readonly segments: Segments;
}

/** Records the sums of all columns. @returns [segments, width] f32, scratch of `pass`. */
export function columnSums(pass: Pass, operands: ColumnSums): Tensor {
  return record(pass, plainSums, operands);
}

/** Records the sums of all columns times the normalised `x`: [segments, width] f32. */
export function normalizedColumnSums(
  pass: Pass,
  { x, statistics, gather, ...operands }: ColumnSums & {
    readonly x: Tensor;
    readonly statistics: Tensor;
    readonly gather: Gather | undefined;
  },
): Tensor {
  const tensors = { x, source_rows: gather?.table ?? operands.segments.starts, statistics };
  return record(pass, normalizedSums, operands, { tensors, params: { gathers: gather ? 1 : 0 } });
}

/** Records gradient += the sums of all columns of `dy`. */
export function addBiasGradient(
  pass: Pass,
  { dy, rows, segments, gradient }: {
    readonly dy: Tensor;
    readonly rows: number;
    readonly segments: Segments;
    readonly gradient: Tensor;
  },
): void {
  using partial = columnSums(pass, { a: dy, rows, segments });
  const into = { y: gradient, stride: 0, first: 0, accumulates: true };
  sumSegments(pass, partial, { conditions: 1, ...into });
}

/**
 * Records the derivatives by the gates of {@linkcode gatedResidual}: columns of `dModulation` from
 * `gate` on.
 */
export function gateGradient(
  pass: Pass,
  { dy, update, rows, segments, conditions, dModulation, gate, dropout }: {
    /** [≥ rows, width] f32. */
    readonly dy: Tensor;
    readonly update: Tensor;
    readonly rows: number;
    readonly segments: Segments;
    readonly conditions: Conditions;
    readonly dModulation: Tensor;
    readonly gate: number;
    readonly dropout: Dropout | null;
  },
): void {
  using partial = record(pass, updateSums, { a: dy, rows, segments }, {
    tensors: { update },
    params: dropoutParams(dropout),
  });
  sumSegments(pass, partial, {
    conditions: conditions.isShared ? 1 : conditions.sequences,
    ...{ y: dModulation, stride: dModulation.shape[1]!, first: gate, accumulates: false },
  });
}

/** Records y[κ · stride + first + c] (+)= the sums of every `conditions`th row of `partial`. */
export function sumSegments(
  pass: Pass,
  partial: Tensor,
  { y, conditions, stride, first, accumulates }: {
    y: Tensor;
    conditions: number;
    stride: number;
    first: number;
    accumulates: boolean;
  },
): void {
  const [segments = 0, width = 0] = partial.shape;
  pass.dispatch(sumKernel, {
    tensors: { partial, y },
    constants: { WIDTH4: width / 4 },
    params: { segments, conditions, stride, first, accumulates: accumulates ? 1 : 0 },
    workgroups: [Math.ceil(width / 32), conditions],
  });
}

function record(
  pass: Pass,
  kernel: Kernel,
  { a, rows, segments: { starts, segments } }: ColumnSums,
  own: { tensors?: Record<string, Tensor>; params?: Record<string, number> } = {},
): Tensor {
  const width = a.shape[1]!;
  const y = pass.scratch("column_sums", [segments, width]);
  pass.dispatch(kernel, {
    tensors: { a, starts, y, ...own.tensors },
    constants: { WIDTH4: width / 4 },
    params: { rows, ...own.params },
    workgroups: [Math.ceil(width / 32), segments],
  });
  return y;
}
