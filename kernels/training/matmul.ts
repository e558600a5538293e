import {
  defineKernel,
  type DeviceClass,
  expectShape,
  type Kernel,
  type Pass,
  type Tensor,
} from "../../src/gpu/mod.ts";
import picks from "../picks.wgsl" with { type: "text" };
import tileSums from "../tile_sums.wgsl" with { type: "text" };
import { sumSegments } from "./columns.ts";
import common from "./matmul.wgsl" with { type: "text" };
import blockAColumns from "./matmul_blocks/a_columns.wgsl" with { type: "text" };
import blockARows from "./matmul_blocks/a_rows.wgsl" with { type: "text" };
import blockBColumns from "./matmul_blocks/b_columns.wgsl" with { type: "text" };
import blockBRows from "./matmul_blocks/b_rows.wgsl" with { type: "text" };
import aColumns from "./matmul_operands/a_columns.wgsl" with { type: "text" };
import aRows from "./matmul_operands/a_rows.wgsl" with { type: "text" };
import bColumns from "./matmul_operands/b_columns.wgsl" with { type: "text" };
import bRows from "./matmul_operands/b_rows.wgsl" with { type: "text" };
import subgroup from "./matmul_subgroup.wgsl" with { type: "text" };
import tiled from "./matmul_tiled.wgsl" with { type: "text" };

/** One way to multiply. All sum along k in one order, so that they give the same bits. */
export interface MatmulVariant {
  readonly name: "matmul_subgroup" | "matmul_tiled";
  /** Rows and columns of the result that one workgroup gives. */
  readonly rows: number;
  readonly columns: number;
}

const SUBGROUP: MatmulVariant = { name: "matmul_subgroup", rows: 16, columns: 128 };
const TILED: MatmulVariant = { name: "matmul_tiled", rows: 64, columns: 64 };

/** The variants that a kind of device can run, its own first. */
export function matmulVariants(deviceClass: DeviceClass): readonly MatmulVariant[] {
  return deviceClass === "cpu with subgroups" ? [SUBGROUP, TILED] : [TILED];
}

/** Rows whose part of a gradient of weights is summed by itself on a GPU, which they must fill. */
const GPU_SLICE = 1024;

/** How a product reads its operands. */
type Product = "x wᵀ" | "dy w" | "dyᵀ x";

const KERNELS: Readonly<Record<MatmulVariant["name"], Readonly<Record<Product, Kernel>>>> = {
  matmul_subgroup: {
    "x wᵀ": defineKernel("matmul_subgroup", subgroup, tileSums, picks, common, aRows, bRows),
    "dy w": defineKernel("matmul_subgroup", subgroup, tileSums, picks, common, aRows, bColumns),
    "dyᵀ x": defineKernel("matmul_subgroup", subgroup, tileSums, picks, common, aColumns, bColumns),
  },
  matmul_tiled: {
    "x wᵀ": defineKernel("matmul_tiled", tiled, common, blockARows, blockBRows),
    "dy w": defineKernel("matmul_tiled", tiled, common, blockARows, blockBColumns),
    "dyᵀ x": defineKernel("matmul_tiled", tiled, common, blockAColumns, blockBColumns),
  },
};

/** Which rows of an operand count: from `first` on. */
export interface RowRange {
  readonly first: number;
  readonly rows: number;
}

/** Operands of {@linkcode project}. */
export interface Projection {
  /** [rows, inputs] f32. */
  readonly x: Tensor;
  /** [outputs, inputs] f32. */
  readonly weight: Tensor;
  /** [outputs] f32. */
  readonly bias?: Tensor;
  /** The rows of `x`; all where left out. */
  readonly part?: RowRange;
}

/**
 * Records y = x Wᵀ + bias, every row by itself.
 *
 * @returns [rows, outputs] f32, scratch of `pass`.
 */
export function project(
  pass: Pass,
  { x, weight, bias, part = wholeOf(x) }: Projection,
  variant?: MatmulVariant,
): Tensor {
  const [outputs = 0, inputs = 0] = weight.shape;
  expectShape(x, [x.shape[0]!, inputs]);
  const y = pass.scratch("project", [part.rows, outputs]);
  record(pass, "x wᵀ", {
    ...{ a: x, b: weight, c: y, ...(bias && { bias }), variant },
    ...{ m: part.rows, n: outputs, k: inputs, aFirst: part.first },
  });
  return y;
}

/** Operands of {@linkcode projectBackward}. */
export interface ProjectionBackward {
  /** [rows, outputs] f32. */
  readonly dy: Tensor;
  /** [outputs, inputs] f32. */
  readonly weight: Tensor;
  /** Rows of `dy` that count, from the first on; all where left out. */
  readonly rows?: number;
  /** [≥ first + rows, inputs] f32: takes the result in place of a scratch tensor. */
  readonly into?: Tensor;
  /** First row of `into`. */
  readonly first?: number;
  /** Adds to what `into` holds. */
  readonly accumulates?: boolean;
}

/**
 * Records dx = dy W.
 *
 * @returns [rows, inputs] f32: `into`, or scratch of `pass`.
 */
export function projectBackward(
  pass: Pass,
  { dy, weight, rows = dy.shape[0]!, into, first = 0, accumulates = false }: ProjectionBackward,
  variant?: MatmulVariant,
): Tensor {
  const [outputs = 0, inputs = 0] = weight.shape;
  expectShape(dy, [dy.shape[0]!, outputs]);
  const dx = into ?? pass.scratch("project_backward", [rows, inputs]);
  record(pass, "dy w", {
    ...{ a: dy, b: weight, c: dx, variant },
    ...{ m: rows, n: inputs, k: outputs, cFirst: first, accumulates },
  });
  return dx;
}

/** Operands of {@linkcode addWeightGradient}. */
export interface WeightGradient {
  /** [rows, outputs] f32. */
  readonly dy: Tensor;
  /** [rows, inputs] f32. */
  readonly x: Tensor;
  /** [outputs, inputs] f32. */
  readonly gradient: Tensor;
  /** Rows of `dy` that count, from the first on: a multiple of 8. All where left out. */
  readonly rows?: number;
  /** The row of `x` that belongs to row 0 of `dy`. */
  readonly first?: number;
}

/** Records gradient += dyᵀ x. */
export function addWeightGradient(
  pass: Pass,
  { dy, x, gradient, rows = dy.shape[0]!, first = 0 }: WeightGradient,
  variant?: MatmulVariant,
): void {
  const [, outputs = 0] = dy.shape;
  const [, inputs = 0] = x.shape;
  expectShape(gradient, [outputs, inputs]);
  const operands = { a: dy, b: x, variant, m: outputs, n: inputs, k: rows, bFirst: first };
  const slices = pass.gpu.deviceClass === "gpu" ? Math.ceil(rows / GPU_SLICE) : 1;
  if (slices === 1) {
    record(pass, "dyᵀ x", { ...operands, c: gradient, accumulates: true });
    return;
  }
  using partial = pass.scratch("gradient slices", [slices * outputs, inputs]);
  record(pass, "dyᵀ x", { ...operands, c: partial, slice: GPU_SLICE });
  const into = { y: gradient, conditions: outputs, stride: inputs };
  sumSegments(pass, partial, { ...into, first: 0, accumulates: true });
}

interface Operands {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly c: Tensor;
  readonly bias?: Tensor;
  readonly variant: MatmulVariant | undefined;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aFirst?: number;
  readonly bFirst?: number;
  readonly cFirst?: number;
  readonly accumulates?: boolean;
  /** Length of the sums that end up in rows of `c` of their own; all of `k` where left out. */
  readonly slice?: number;
}

function record(pass: Pass, product: Product, operands: Operands): void {
  const { a, b, c, bias, m, n, k, aFirst = 0, bFirst = 0, cFirst = 0, slice = k } = operands;
  if (k % 8 !== 0 || n % 4 !== 0) {
    throw new TypeError(
      `Cannot multiply: sums are ${k} long for ${n} columns, expected 8 i and 4 j`,
    );
  }
  const [first] = matmulVariants(pass.gpu.deviceClass);
  const variant = operands.variant ?? first!; // There is always one.
  pass.dispatch(KERNELS[variant.name][product], {
    tensors: { a, b, c, bias: bias ?? b },
    params: {
      ...{ m, n, k },
      ...{ a_first: aFirst, b_first: bFirst, c_first: cFirst },
      ...{ a_stride: a.shape[1]! / 4, b_stride: b.shape[1]! / 4, c_stride: c.shape[1]! / 4 },
      accumulates: operands.accumulates ? 1 : 0,
      is_biased: bias ? 1 : 0,
      slice,
    },
    workgroups: [
      Math.ceil(n / variant.columns),
      Math.ceil(m / variant.rows),
      Math.ceil(k / slice),
    ],
  });
}

function wholeOf({ shape }: Tensor): RowRange {
  return { first: 0, rows: shape[0]! };
}
