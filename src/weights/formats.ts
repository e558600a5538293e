import type { Gpu, Tensor } from "../gpu/mod.ts";
import { F16 } from "./formats/f16.ts";
import { F32 } from "./formats/f32.ts";
import {
  type Format,
  GROUP,
  type QuantizedFormat,
  SCALE_BYTES,
  type StoredRows,
} from "./formats/format.ts";
import { INT4 } from "./formats/int4.ts";
import { INT8 } from "./formats/int8.ts";
import { packScales, packTiles, TILE_ROWS, type TileOrder } from "./tiles.ts";

export { TILE_STRIDES, type TileOrder } from "./tiles.ts";

/** The formats that matrices can be stored in on the device. Arithmetic is f32 in all of them. */
const FORMATS = { f32: F32, f16: F16, int8: INT8, int4: INT4 } as const;

/** How matrices are stored on the device. */
export type WeightFormat = keyof typeof FORMATS;

/** The formats with scales. */
export type QuantizedName = {
  [Name in WeightFormat]: (typeof FORMATS)[Name] extends QuantizedFormat ? Name : never;
}[WeightFormat];

/** All formats, the most precise first. */
export const WEIGHT_FORMATS = Object.keys(FORMATS) as WeightFormat[]; // The keys of a record.

/** How the weights of a format are stored. */
export function formatOf(name: QuantizedName): QuantizedFormat;
export function formatOf(name: WeightFormat): Format;
export function formatOf(name: WeightFormat): Format {
  return FORMATS[name];
}

/** Whether a format has scales. */
export function isQuantized(name: WeightFormat): name is QuantizedName {
  return "scaleParts" in FORMATS[name];
}

/**
 * Widths of activations, and so both sides of every stored matrix, are multiples of this: 8 lanes
 * with 4 columns each, and a group of weights with one scale.
 */
export const ALIGNMENT = GROUP;

/** `width` rounded up to the alignment of activations. */
export function align(width: number): number {
  return Math.ceil(width / ALIGNMENT) * ALIGNMENT;
}

/** Bytes of one weight of a matrix, its share of a scale included. */
export function weightBytes(format: WeightFormat): number {
  return FORMATS[format].bits / 8 + (isQuantized(format) ? SCALE_BYTES / GROUP : 0);
}

/** How embeddings are stored beside matrices of a format: rows are looked up, never summed. */
export function embeddingFormat(format: WeightFormat): "f32" | "f16" {
  return format === "f32" ? "f32" : "f16";
}

/** A matrix [outputs, inputs] on the device, in parts that each fit a binding. */
export interface LinearWeight extends Disposable {
  /** Columns of the result; a multiple of {@linkcode ALIGNMENT}. */
  readonly outputs: number;
  /** Length of the sums; a multiple of {@linkcode ALIGNMENT}. */
  readonly inputs: number;
  readonly format: WeightFormat;
  readonly order: TileOrder;
  readonly parts: readonly LinearPart[];
}

/** Neighbouring rows of a {@linkcode LinearWeight}. */
export interface LinearPart {
  /** First of the matrix's rows in this part. */
  readonly first: number;
  readonly outputs: number;
  /** Tiles of 32 rows, as `kernels/weights` opens them. */
  readonly weight: Tensor;
  /** What weights of a format with scales are multiplied by, [outputs, inputs / 32] words. */
  readonly scale?: Tensor;
  /** [outputs] f32; zero where the matrix has no bias. */
  readonly bias: Tensor;
}

/** An embedding [tokens, width] on the device, in parts that each fit a binding. */
export interface Embedding extends Disposable {
  readonly tokens: number;
  /** A multiple of {@linkcode ALIGNMENT}, zero beyond the model's own width. */
  readonly width: number;
  readonly format: "f32" | "f16";
  /** Where rows lie in tiles, as those of a {@linkcode LinearWeight}; else one behind the other. */
  readonly order?: TileOrder;
  readonly parts: readonly { first: number; tokens: number; weight: Tensor }[];
}

/** Where rows of a matrix come from. */
export interface MatrixSource {
  readonly outputs: number;
  readonly inputs: number;
  /** Rows `first` … `first + count - 1`, padded: [count, inputs] f32. */
  rows(first: number, count: number): Float32Array<ArrayBuffer>;
  /** The same where they are in a format already, which goes to the device as it is. */
  readonly stored?: {
    readonly format: WeightFormat;
    rows(first: number, count: number): StoredRows;
  };
  /** [outputs] f32, padded; absent without bias. */
  readonly bias?: Float32Array<ArrayBuffer>;
}

/** How a matrix goes to the device. */
export interface UploadOptions<Format = WeightFormat> {
  readonly name: string;
  readonly format: Format;
  /** Takes the upload, to be run later; left out, it is done at once. */
  readonly defer?: (upload: () => void) => void;
}

/** Host memory for one chunk of rows on their way to the device, bytes of f32. */
const CHUNK_BYTES = 8 << 20;

/**
 * Uploads a matrix in tiles of 32 rows: [outputs / 32][inputs / v][32] vectors of 16 bytes with v
 * values along the inputs each. So 8 lanes read full lines, memory is walked in order, and a lane gives
 * 4 neighbouring columns of the result. The kind of device decides about the order in a tile.
 *
 * Where the format has scales, 32 neighbours along the inputs of one row share a word of them; the
 * words of a lane's 4 rows are a vector: [outputs / 32][inputs / 32][8][4].
 *
 * @throws {RangeError} If a value does not fit the format.
 */
export function uploadLinear(
  gpu: Gpu,
  source: MatrixSource,
  { name, format, defer = (upload) => upload() }: UploadOptions,
): LinearWeight {
  const { outputs, inputs } = source;
  const rowBytes = inputs * FORMATS[format].bits / 8;
  const groups = inputs / GROUP;
  const order = gpu.deviceClass === "gpu" ? "lanes" : "rows";
  const parts = split(gpu, outputs, rowBytes).map(({ first, count }): LinearPart => {
    const storage = { dtype: "u32", kind: "weights" } as const;
    const weight = gpu.tensor(name, [count, rowBytes / 4], storage);
    const scale = isQuantized(format) && gpu.tensor(`${name} scale`, [count, groups], storage);
    const uploadChunk = (chunk: { first: number; count: number }) => {
      const at = { first: first + chunk.first, count: chunk.count };
      const { values, scales } = storedRows(source, { ...at, name, format });
      gpu.write(weight, packTiles(values, { rowBytes, order }), chunk.first * rowBytes);
      if (!scale) return;
      gpu.write(scale, packScales(scales, groups), chunk.first * groups * SCALE_BYTES);
    };
    defer(() => chunks(count, inputs).forEach(uploadChunk));
    const data = source.bias?.slice(first, first + count) ?? new Float32Array(count);
    const bias = gpu.tensor(`${name} bias`, [count], { data, kind: "weights" });
    return { first, outputs: count, weight, bias, ...(scale && { scale }) };
  });
  return {
    outputs,
    inputs,
    format,
    order,
    parts,
    [Symbol.dispose]: () => {
      for (const { weight, bias, scale } of parts) {
        for (const each of [weight, bias, scale]) each?.[Symbol.dispose]();
      }
    },
  };
}

/**
 * Uploads an embedding row by row.
 *
 * @throws {RangeError} If a value does not fit the format.
 */
export function uploadEmbedding(
  gpu: Gpu,
  source: MatrixSource,
  { name, format, defer = (upload) => upload() }: UploadOptions<"f32" | "f16">,
): Embedding {
  const { outputs: tokens, inputs: width } = source;
  const rowBytes = width * weightBytes(format);
  const parts = split(gpu, tokens, rowBytes).map(({ first, count }) => {
    const weight = gpu.tensor(name, [count, width], { dtype: format, kind: "weights" });
    const uploadChunk = (chunk: { first: number; count: number }) => {
      const at = { first: first + chunk.first, count: chunk.count };
      const { values } = storedRows(source, { ...at, name, format });
      gpu.write(weight, values, chunk.first * rowBytes);
    };
    defer(() => chunks(count, width).forEach(uploadChunk));
    return { first, tokens: count, weight };
  });
  return {
    tokens,
    width,
    format,
    parts,
    [Symbol.dispose]: () => parts.forEach(({ weight }) => weight[Symbol.dispose]()),
  };
}

/** Stretches of rows that fit one binding; whole tiles each. */
function split(gpu: Gpu, rows: number, rowBytes: number): { first: number; count: number }[] {
  const { maxStorageBufferBindingSize: bytes } = gpu.limits;
  const most = Math.floor(bytes / rowBytes / TILE_ROWS) * TILE_ROWS;
  if (most === 0) {
    throw new RangeError(
      `Cannot upload: ${TILE_ROWS} rows of ${rowBytes} bytes exceed what a binding holds, ${bytes}`,
    );
  }
  return stretches(rows, most);
}

function chunks(rows: number, inputs: number): { first: number; count: number }[] {
  const tiles = Math.max(1, Math.floor(CHUNK_BYTES / (4 * inputs * TILE_ROWS)));
  return stretches(rows, tiles * TILE_ROWS);
}

function stretches(total: number, most: number): { first: number; count: number }[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, total - i * most),
  }));
}

function storedRows(
  { rows, stored }: MatrixSource,
  how: { first: number; count: number; name: string; format: WeightFormat },
): StoredRows {
  const { first, count, name, format } = how;
  if (stored?.format === format) return stored.rows(first, count);
  return FORMATS[format].store(rows(first, count), name);
}
