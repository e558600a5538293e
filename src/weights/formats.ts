import type { Gpu, Tensor } from "../gpu/mod.ts";

/** How matrices are stored on the device. Arithmetic is f32 in all of them. */
export type WeightFormat = "f32" | "f16";

/** Widths of activations, and so both sides of every stored matrix, are multiples of this. */
export const ALIGNMENT = 8;

/** `width` rounded up to the alignment of activations. */
export function align(width: number): number {
  return Math.ceil(width / ALIGNMENT) * ALIGNMENT;
}

/** Bytes of one weight. */
export function weightBytes(format: WeightFormat): number {
  return format === "f16" ? 2 : 4;
}

/** A matrix [outputs, inputs] on the device, in parts that each fit a binding. */
export interface LinearWeight extends Disposable {
  /** Columns of the result; a multiple of 8. */
  readonly outputs: number;
  /** Length of the sums; a multiple of 8. */
  readonly inputs: number;
  readonly format: WeightFormat;
  readonly parts: readonly LinearPart[];
}

/** Neighbouring rows of a {@linkcode LinearWeight}. */
export interface LinearPart {
  /** First of the matrix's rows in this part. */
  readonly first: number;
  readonly outputs: number;
  /** Panels of 8 rows, as `kernels/weights` opens them. */
  readonly weight: Tensor;
  /** [outputs] f32; zero where the matrix has no bias. */
  readonly bias: Tensor;
}

/** An embedding [tokens, width] on the device, in parts that each fit a binding. */
export interface Embedding extends Disposable {
  readonly tokens: number;
  /** A multiple of 8, zero beyond the model's own width. */
  readonly width: number;
  readonly format: WeightFormat;
  readonly parts: readonly { first: number; tokens: number; weight: Tensor }[];
}

/** Where rows of a matrix come from: `null` stands for a row of zeros. */
export interface MatrixSource {
  readonly outputs: number;
  readonly inputs: number;
  /** Rows `first` … `first + count - 1`, padded: [count, inputs] f32. */
  rows(first: number, count: number): Float32Array<ArrayBuffer>;
  /** [outputs] f32, padded; absent without bias. */
  readonly bias?: Float32Array<ArrayBuffer>;
}

/** Host memory for one chunk of rows on their way to the device, bytes. */
const CHUNK_BYTES = 8 << 20;
/** Largest finite half. */
const MAX_HALF = 65_504;

/**
 * Uploads a matrix in panels: [outputs / 8][inputs / v][8] vectors of 16 bytes, v values along the
 * inputs each, so that 8 lanes read one full line and memory is walked in order.
 *
 * @throws {RangeError} If a value does not fit the format.
 */
export function uploadLinear(
  gpu: Gpu,
  source: MatrixSource,
  { name, format }: { name: string; format: WeightFormat },
): LinearWeight {
  const { outputs, inputs } = source;
  const rowBytes = inputs * weightBytes(format);
  const parts = split(gpu, outputs, rowBytes).map(({ first, count }): LinearPart => {
    const weight = gpu.tensor(name, [count, inputs], { dtype: format, kind: "weights" });
    for (const chunk of chunks(count, rowBytes)) {
      const rows = source.rows(first + chunk.first, chunk.count);
      const panels = packPanels(store(rows, { name, format }), inputs);
      gpu.write(weight, panels, chunk.first * rowBytes);
    }
    const data = source.bias?.slice(first, first + count) ?? new Float32Array(count);
    return {
      first,
      outputs: count,
      weight,
      bias: gpu.tensor(`${name} bias`, [count], { data, kind: "weights" }),
    };
  });
  return {
    outputs,
    inputs,
    format,
    parts,
    [Symbol.dispose]: () => {
      for (const { weight, bias } of parts) {
        weight[Symbol.dispose]();
        bias[Symbol.dispose]();
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
  { name, format }: { name: string; format: WeightFormat },
): Embedding {
  const { outputs: tokens, inputs: width } = source;
  const rowBytes = width * weightBytes(format);
  const parts = split(gpu, tokens, rowBytes).map(({ first, count }) => {
    const weight = gpu.tensor(name, [count, width], { dtype: format, kind: "weights" });
    for (const chunk of chunks(count, rowBytes)) {
      const rows = source.rows(first + chunk.first, chunk.count);
      gpu.write(weight, store(rows, { name, format }), chunk.first * rowBytes);
    }
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

/** Stretches of rows that fit one binding; whole panels each. */
function split(gpu: Gpu, rows: number, rowBytes: number): { first: number; count: number }[] {
  const most = Math.floor(gpu.limits.maxStorageBufferBindingSize / rowBytes / 8) * 8;
  if (most === 0) {
    throw new RangeError(`Cannot upload: a row takes ${rowBytes} bytes, more than a binding holds`);
  }
  return stretches(rows, most);
}

function chunks(rows: number, rowBytes: number): { first: number; count: number }[] {
  return stretches(rows, Math.max(8, Math.floor(CHUNK_BYTES / rowBytes / 8) * 8));
}

function stretches(total: number, most: number): { first: number; count: number }[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, total - i * most),
  }));
}

type Stored = Float32Array<ArrayBuffer> | Float16Array<ArrayBuffer>;

function store(
  values: Float32Array<ArrayBuffer>,
  { name, format }: { name: string; format: WeightFormat },
): Stored {
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

/** Puts 16-byte vectors of rows in the order of panels, whatever they hold. */
function packPanels(rows: Stored, inputs: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(rows.buffer);
  const packed = new Uint32Array(words.length);
  const rowWords = inputs * rows.BYTES_PER_ELEMENT / 4;
  for (let row = 0; row * rowWords < words.length; row++) {
    const panel = Math.floor(row / 8) * 8 * rowWords;
    let from = row * rowWords;
    for (let to = panel + row % 8 * 4; from < (row + 1) * rowWords; to += 32) {
      packed[to] = words[from++]!;
      packed[to + 1] = words[from++]!;
      packed[to + 2] = words[from++]!;
      packed[to + 3] = words[from++]!;
    }
  }
  return packed;
}
