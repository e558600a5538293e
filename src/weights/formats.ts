import type { Gpu, Tensor } from "../gpu/mod.ts";

/** How matrices are stored on the device. Arithmetic is f32 in all of them. */
export type WeightFormat = "f32" | "f16" | "int8";

/**
 * Widths of activations, and so both sides of every stored matrix, are multiples of this: 8 lanes
 * with 4 columns each, and a block of int8 weights with one scale.
 */
export const ALIGNMENT = 32;

/** `width` rounded up to the alignment of activations. */
export function align(width: number): number {
  return Math.ceil(width / ALIGNMENT) * ALIGNMENT;
}

/** Bytes of one weight of a matrix, its share of a scale included. */
export function weightBytes(format: WeightFormat): number {
  return { f32: 4, f16: 2, int8: 1 + SCALE_BYTES / ALIGNMENT }[format];
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
  readonly parts: readonly LinearPart[];
}

/** Neighbouring rows of a {@linkcode LinearWeight}. */
export interface LinearPart {
  /** First of the matrix's rows in this part. */
  readonly first: number;
  readonly outputs: number;
  /** Tiles of 32 rows, as `kernels/weights` opens them. */
  readonly weight: Tensor;
  /** What int8 weights are multiplied by, [outputs, inputs / 32]; absent with other formats. */
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
  /** Whether rows lie in tiles, as those of a {@linkcode LinearWeight}; else one behind the other. */
  readonly isTiled?: boolean;
  readonly parts: readonly { first: number; tokens: number; weight: Tensor }[];
}

/** Where rows of a matrix come from. */
export interface MatrixSource {
  readonly outputs: number;
  readonly inputs: number;
  /** Rows `first` … `first + count - 1`, padded: [count, inputs] f32. */
  rows(first: number, count: number): Float32Array<ArrayBuffer>;
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
/** Largest finite half. */
const MAX_HALF = 65_504;
/** Of int8 weights, symmetric. */
const MAX_INT8 = 127;
/** A scale is an f32. */
const SCALE_BYTES = 4;
/** Rows of a tile: 8 lanes with 4 rows each. */
const TILE_ROWS = 32;
/** Words of 16 bytes, which kernels load at a time. */
const VECTOR_WORDS = 4;

/**
 * Uploads a matrix in tiles of 32 rows: [outputs / 32][inputs / v][4][8] vectors of 16 bytes with v
 * values along the inputs each, where vector (j, lane) belongs to row 4 lane + j. So 8 lanes read
 * full lines, memory is walked in order, and a lane gives 4 neighbouring columns of the result.
 *
 * int8 weights are symmetric with one scale for 32 neighbours along the inputs of one row.
 *
 * @throws {RangeError} If a value does not fit the format.
 */
export function uploadLinear(
  gpu: Gpu,
  source: MatrixSource,
  { name, format, defer = (upload) => upload() }: UploadOptions,
): LinearWeight {
  const { outputs, inputs } = source;
  const rowBytes = inputs * { f32: 4, f16: 2, int8: 1 }[format];
  const parts = split(gpu, outputs, rowBytes).map(({ first, count }): LinearPart => {
    const dtype = format === "int8" ? "i8" : format;
    const weight = gpu.tensor(name, [count, inputs], { dtype, kind: "weights" });
    const scale = format === "int8" &&
      gpu.tensor(`${name} scale`, [count, inputs / ALIGNMENT], { kind: "weights" });
    const uploadChunk = (chunk: { first: number; count: number }) => {
      const rows = source.rows(first + chunk.first, chunk.count);
      if (scale) {
        const quantized = quantize(rows);
        gpu.write(weight, packTiles(quantized.values, inputs), chunk.first * rowBytes);
        const scales = packScales(quantized.scales, inputs / ALIGNMENT);
        gpu.write(scale, scales, chunk.first * inputs / ALIGNMENT * SCALE_BYTES);
      } else {
        const stored = store(rows, { name, format: embeddingFormat(format) });
        gpu.write(weight, packTiles(stored, inputs), chunk.first * rowBytes);
      }
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
      const rows = source.rows(first + chunk.first, chunk.count);
      gpu.write(weight, store(rows, { name, format }), chunk.first * rowBytes);
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

type Stored = Float32Array<ArrayBuffer> | Float16Array<ArrayBuffer> | Int8Array<ArrayBuffer>;

function store(
  values: Float32Array<ArrayBuffer>,
  { name, format }: { name: string; format: "f32" | "f16" },
): Float32Array<ArrayBuffer> | Float16Array<ArrayBuffer> {
  if (format === "f32") return values;
  const halves = new Float16Array(values);
  const bits = new Uint16Array(halves.buffer);
  for (let i = 0; i < bits.length; i++) {
    // Infinite or no number, though what was stored is neither.
    if ((bits[i]! & 0x7c00) !== 0x7c00 || !Number.isFinite(values[i])) continue;
    throw new RangeError(
      `Cannot store "${name}" as f16: it holds ${values[i]}, expected at most ${MAX_HALF}`,
    );
  }
  return halves;
}

/** Rounds to int8, every 32 neighbours by their own scale: value ≈ int8 · scale. */
function quantize(
  values: Float32Array<ArrayBuffer>,
): { values: Int8Array<ArrayBuffer>; scales: Float32Array<ArrayBuffer> } {
  const rounded = new Int8Array(values.length);
  const scales = new Float32Array(values.length / ALIGNMENT);
  for (let block = 0; block < scales.length; block++) {
    const begin = block * ALIGNMENT;
    let largest = 0;
    for (let i = begin; i < begin + ALIGNMENT; i++) {
      largest = Math.max(largest, Math.abs(values[i]!));
    }
    // A number that is none stays none: the network must fail, not answer.
    const scale = scales[block] = largest / MAX_INT8;
    if (scale === 0) continue;
    for (let i = begin; i < begin + ALIGNMENT; i++) rounded[i] = Math.round(values[i]! / scale);
  }
  return { values: rounded, scales };
}

/** Puts 16-byte vectors of rows in the order of tiles, whatever they hold. */
function packTiles(rows: Stored, inputs: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(rows.buffer);
  const packed = new Uint32Array(words.length);
  const rowWords = inputs * rows.BYTES_PER_ELEMENT / 4;
  for (let row = 0; row * rowWords < words.length; row++) {
    let from = row * rowWords;
    for (
      let to = placeInTile(row, rowWords);
      from < (row + 1) * rowWords;
      to += TILE_ROWS * VECTOR_WORDS
    ) {
      packed[to] = words[from++]!;
      packed[to + 1] = words[from++]!;
      packed[to + 2] = words[from++]!;
      packed[to + 3] = words[from++]!;
    }
  }
  return packed;
}

/** Puts scales in the order of tiles, a vector for the 4 rows of a lane: [blocks][8][4]. */
function packScales(scales: Float32Array, blocks: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(scales.length);
  for (let row = 0; row * blocks < scales.length; row++) {
    const tile = Math.floor(row / TILE_ROWS) * TILE_ROWS * blocks + row % TILE_ROWS;
    for (let block = 0; block < blocks; block++) {
      packed[tile + block * TILE_ROWS] = scales[row * blocks + block]!;
    }
  }
  return packed;
}

/** Where the first vector of a row lies: behind those of the tiles before, among 4 x 8 of its own. */
function placeInTile(row: number, rowWords: number): number {
  const inTile = row % TILE_ROWS;
  const vector = inTile % 4 * 8 + Math.floor(inTile / 4);
  return (row - inTile) * rowWords + vector * VECTOR_WORDS;
}
