import { join } from "@std/path";
import type { Checkpoint } from "./checkpoint.ts";
import { formatOf, isQuantized, type QuantizedName, type WeightFormat } from "./formats.ts";
import { type Format, GROUP, type StoredRows } from "./formats/format.ts";
import { groupCount, type Grouping, paddedColumns, padRows, unpadValues } from "./groups.ts";
import { scaleNames, scaleType } from "./quantized_tensor.ts";
import { elementCount, type TensorEntry } from "./safetensors.ts";
import { writeTensorFile, type WrittenBytes } from "./safetensors_writer.ts";

/** f32 in memory at a time, bytes. */
const CHUNK_BYTES = 8 << 20;

/** Bytes of tensors in one file, unless one alone has more. */
export const SHARD_BYTES = 4 * 2 ** 30;

/** The tensors that are stored in fewer bits, by name. */
export interface Quantizable {
  /** Matrices of products, and into how many parts their columns are divided: see `Grouping`. */
  readonly linear: ReadonlyMap<string, number>;
  /** Tables whose rows are looked up. */
  readonly embeddings: ReadonlySet<string>;
}

/** What {@linkcode writeQuantized} needs beside the checkpoint. */
export interface QuantizeOptions {
  readonly directory: string;
  readonly format: Exclude<WeightFormat, "f32">;
  readonly quantizable: Quantizable;
  /** {@linkcode SHARD_BYTES} where left out. */
  readonly shardBytes?: number;
  /** Called with the bytes written so far and all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Writes the tensors of a checkpoint with its matrices in another format, into one file or, where
 * that would be large, into several with an index. Halves are not rounded to halves once more; what
 * is no matrix of a product and no embedding stays as it is.
 *
 * @throws {CheckpointError} If a tensor cannot be read.
 * @throws {RangeError} If a value does not fit the format, or is no number.
 */
export async function writeQuantized(
  checkpoint: Checkpoint,
  { directory, format, quantizable, shardBytes = SHARD_BYTES, onProgress }: QuantizeOptions,
): Promise<void> {
  const groups = [...checkpoint.tensors.values()].map((entry) =>
    convert(checkpoint, entry, { format, quantizable })
  );
  const shards = shardsOf(groups, shardBytes);
  const total = groups.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const counted = (tensor: WrittenBytes): WrittenBytes => ({
    ...tensor,
    chunks: async function* () {
      for await (const chunk of tensor.chunks()) {
        yield chunk;
        done += chunk.length;
        onProgress?.(done, total);
      }
    },
  });
  const names = shards.map((_, i) => shardName(i, shards.length));
  for (const [i, shard] of shards.entries()) {
    await writeTensorFile(join(directory, names[i]!), shard.map(counted)); // As many as shards.
  }
  if (shards.length === 1) return;
  const files = shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]]));
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(files) };
  const path = join(directory, "model.safetensors.index.json");
  Deno.writeTextFileSync(path, JSON.stringify(index, null, 2) + "\n");
}

/** Tensors in files that are not larger than need be; those of one matrix stay together. */
function shardsOf(groups: readonly WrittenBytes[][], most: number): WrittenBytes[][] {
  const shards: WrittenBytes[][] = [];
  let room = 0;
  for (const group of groups) {
    const bytes = group.reduce((sum, each) => sum + each.bytes, 0);
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = most;
    }
    shards.at(-1)!.push(...group); // One is there.
    room -= bytes;
  }
  return shards;
}

function shardName(index: number, count: number): string {
  const digits = (n: number) => String(n).padStart(5, "0");
  return count === 1
    ? "model.safetensors"
    : `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

function convert(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  { format, quantizable }: Pick<QuantizeOptions, "format" | "quantizable">,
): WrittenBytes[] {
  const { name, dtype, shape } = entry;
  const parts = quantizable.linear.get(name);
  if (parts !== undefined && isQuantized(format)) {
    const grouping = { width: shape[1]!, parts }; // A matrix.
    const isWhole = grouping.width / parts % formatOf(format).perElement === 0;
    if (isWhole) return quantized(checkpoint, entry, { format, grouping });
  }
  const isKnown = parts !== undefined || quantizable.embeddings.has(name);
  return isKnown && dtype === "F32" ? [halved(checkpoint, entry)] : [copied(checkpoint, entry)];
}

function quantized(
  checkpoint: Checkpoint,
  { name, shape: [rows = 0] }: TensorEntry,
  { format, grouping }: { format: QuantizedName; grouping: Grouping },
): WrittenBytes[] {
  const { width, parts } = grouping;
  const { dtype, perElement, bits, scaleParts } = formatOf(format);
  const columns = paddedColumns(grouping);
  const groups = groupCount(grouping);
  // Known when the weights are written, and gone when they are written themselves.
  let words = new Uint32Array();
  const weight: WrittenBytes = {
    ...{ name, dtype, shape: [rows, width / perElement], bytes: rows * width * bits / 8 },
    *chunks() {
      words = new Uint32Array(rows * groups);
      for (const { first, count } of chunksOf(rows, columns.length)) {
        const values = padRows(checkpoint.readRows(name, first, count), width, columns);
        const stored = storeNumbers(values, { name, format: formatOf(format) });
        words.set(stored.scales, first * groups);
        yield unpadValues(stored.values, grouping, bits);
      }
    },
  };
  const type = scaleType(format);
  const shape = parts === 1 ? [rows, groups] : [rows, parts, groups / parts];
  return [
    weight,
    ...scaleNames(name, format).map((name, part): WrittenBytes => ({
      ...{ name, dtype: type, shape, bytes: rows * groups * 4 / scaleParts.length },
      *chunks() {
        const data = type === "F32" ? words : Uint16Array.from(words, (each) => each >>> 16 * part);
        if (part === scaleParts.length - 1) words = new Uint32Array();
        yield new Uint8Array(data.buffer);
      },
    })),
  ];
}

function halved(checkpoint: Checkpoint, { name, shape }: TensorEntry): WrittenBytes {
  const [rows = 1, ...row] = shape;
  return {
    ...{ name, dtype: "F16", shape, bytes: 2 * elementCount(shape) },
    *chunks() {
      for (const { first, count } of chunksOf(rows, elementCount(row))) {
        const values = checkpoint.readRows(name, first, count);
        yield storeNumbers(values, { name, format: formatOf("f16") }).values;
      }
    },
  };
}

function copied(checkpoint: Checkpoint, entry: TensorEntry): WrittenBytes {
  const { name, dtype, shape, bytes } = entry;
  return {
    ...{ name, dtype, shape, bytes },
    *chunks() {
      for (let begin = 0; begin < bytes; begin += CHUNK_BYTES) {
        yield checkpoint.readBytes(entry, begin, Math.min(CHUNK_BYTES, bytes - begin));
      }
    },
  };
}

/** What a server would refuse to read must not be written. */
function storeNumbers(
  rows: Float32Array<ArrayBuffer>,
  { name, format }: { name: string; format: Format },
): StoredRows {
  const wrong = rows.find((each) => !Number.isFinite(each));
  if (wrong === undefined) return format.store(rows, name);
  throw new RangeError(`Cannot quantize "${name}": it holds ${wrong}, expected numbers`);
}

function* chunksOf(rows: number, width: number): Generator<{ first: number; count: number }> {
  const most = Math.max(1, Math.floor(CHUNK_BYTES / 4 / Math.max(width, GROUP)));
  for (let first = 0; first < rows; first += most) {
    yield { first, count: Math.min(most, rows - first) };
  }
}
