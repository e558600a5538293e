/** Matrices of noise on the device, in every format, and products with them. */
import { assertEquals } from "@std/assert";
import { linear } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu, Tensor } from "../../src/gpu/mod.ts";
import {
  formatOf,
  type LinearWeight,
  uploadLinear,
  WEIGHT_FORMATS,
  type WeightFormat,
} from "../../src/weights/formats.ts";
import type { StoredRows } from "../../src/weights/formats/format.ts";
import * as reference from "../reference/forward.ts";
import { noise, readFloats, upload } from "../support/gpu.ts";
import { pair } from "./host_cache.ts";
import { fillNextScratch, matrixSource, passOf, rounded, uploadCounts } from "./tables.ts";

export const FORMATS = WEIGHT_FORMATS;
/** One row, every edge of the tiles of 4, 8 and 16 rows, several tiles with a rest, one of 64. */
export const ROWS = [1, 2, 4, 5, 8, 9, 16, 17, 33, 70];
export const MOST_ROWS = 70;

/** A matrix on the device, and what it holds there. */
export interface Matrix extends Disposable {
  readonly weight: LinearWeight;
  /** x Wᵀ + bias in float64, with the weights as they are stored. */
  product(x: ArrayLike<number>): Float64Array;
}

/** Uploads `values` [outputs, inputs], or noise. */
export function makeMatrix(
  gpu: Gpu,
  options: {
    inputs: number;
    outputs: number;
    format: WeightFormat;
    biasScale?: number;
    values?: Float32Array<ArrayBuffer>;
  },
): Matrix {
  const { inputs, outputs, format, biasScale = 1 } = options;
  const values = options.values ?? noise(outputs * inputs, 2);
  const bias = noise(outputs, 3).map((each) => each * biasScale);
  const weight = uploadLinear(gpu, matrixSource(values, inputs, bias), { name: "w", format });
  const stored = storedAs(format, values);
  return {
    weight,
    product: (x) => reference.linear(x, stored, { width: inputs, bias }),
    [Symbol.dispose]: () => weight[Symbol.dispose](),
  };
}

/** What a format keeps of values, in float64. */
function storedAs(format: WeightFormat, values: Float32Array<ArrayBuffer>): ArrayLike<number> {
  switch (format) {
    case "int8":
      return quantized(values);
    case "int4":
      return opened(formatOf("int4").store(values, "w"));
    default:
      return rounded(values, format);
  }
}

/** What int4 rows stand for; how they are rounded is another test's affair. */
export function opened({ values, scales }: StoredRows): Float64Array {
  const halves = new Float16Array(scales.buffer);
  return Float64Array.from({ length: 2 * values.length }, (_, i) => {
    const group = Math.floor(i / 32);
    const integer = Math.floor(values[Math.floor(i / 2)]! / 16 ** (i % 2)) % 16;
    return Math.fround(integer * halves[2 * group]! + halves[2 * group + 1]!);
  });
}

/** What int8 keeps: whole multiples of a 127th of the largest of 32 neighbours. */
function quantized(values: Float32Array): Float64Array {
  const stored = new Float64Array(values.length);
  for (let block = 0; block < values.length; block += 32) {
    const neighbours = values.subarray(block, block + 32);
    const scale = Math.max(...neighbours.map(Math.abs)) / 127;
    if (scale === 0) continue;
    neighbours.forEach((value, i) => {
      stored[block + i] = Math.round(value / scale) * Math.fround(scale);
    });
  }
  return stored;
}

/**
 * A matrix that hands on what it is given, exactly, with q and k in the order that they are kept in: its
 * input is q, k and v, head by head, padded to `headWidth`. Key/value heads serve `group` of q's.
 */
export function handOn(
  gpu: Gpu,
  { heads, headSize, headWidth, group = 1 }: {
    heads: number;
    headSize: number;
    headWidth: number;
    group?: number;
  },
): LinearWeight {
  const width = (group + 2) * heads * headWidth;
  const paired = pair(Array.from({ length: headSize }, (_, i) => i), headSize);
  const values = new Float32Array(width * width);
  for (let column = 0; column < width; column++) {
    const i = column % headWidth;
    const isTurned = column < (group + 1) * heads * headWidth && i < headSize;
    values[column * width + (isTurned ? column - i + paired[i]! : column)] = 1;
  }
  return uploadLinear(gpu, matrixSource(values, width), { name: "w", format: "f32" });
}

/** The results for the first 1, 2, 4 … rows of `x` [70, inputs], in one submission; or others. */
export async function multiplyPrefixes(
  gpu: Gpu,
  x: Float32Array,
  operands: {
    weight: LinearWeight;
    deviceClass: DeviceClass;
    epilogue?: "none" | "gelu" | "silu" | "swiglu";
    prefixes?: readonly number[];
  },
): Promise<Float32Array[]> {
  const { weight, deviceClass, epilogue = "none", prefixes = ROWS } = operands;
  const pass = passOf(gpu, deviceClass);
  const results = prefixes.map((rows) => {
    const operand = upload(gpu, [rows, weight.inputs], x.subarray(0, rows * weight.inputs));
    const counts = uploadCounts(gpu, { rows });
    return { operand, counts, y: linear(pass, { x: operand, weight, counts, epilogue }) };
  });
  pass.submit();
  const values = await Promise.all(results.map(({ y }) => readFloats(gpu, y)));
  results.forEach((each) => Object.values(each).forEach((tensor) => tensor[Symbol.dispose]()));
  return values;
}

/** Multiplies with a result full of 7 before, so that what is not written shows. */
export async function multiplyLive(
  gpu: Gpu,
  matrix: Matrix,
  operands: {
    x: Float32Array;
    counts: Tensor;
    counted?: "rows" | "heads";
    part?: { skip: number; rows: number };
    deviceClass: DeviceClass;
  },
): Promise<Float32Array> {
  const { deviceClass, x: values, ...others } = operands;
  const { inputs, outputs } = matrix.weight;
  const bound = values.length / inputs;
  const pass = passOf(gpu, deviceClass);
  const shape = [operands.part?.rows ?? bound, outputs];
  const id = fillNextScratch(gpu, pass, { shape, value: 7 });
  using x = upload(gpu, [bound, inputs], values);
  using y = linear(pass, { ...others, x, weight: matrix.weight });
  assertEquals(y.id, id);
  pass.submit();
  return await readFloats(gpu, y);
}

/** Asserts that every one of some prefixes of rows holds the bits that `all` begins with. */
export function assertPrefixes(
  prefixes: readonly Float32Array[],
  all: Float32Array,
  label: string,
): void {
  for (const y of prefixes) {
    const differing = y.findIndex((value, at) => value !== all[at]);
    assertEquals(differing, -1, `${label}: ${y.length} of ${all.length} values`);
  }
}
