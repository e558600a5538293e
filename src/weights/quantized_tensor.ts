import { z } from "zod";
import { CheckpointError, quote } from "./errors.ts";
import { formatOf, isQuantized, type QuantizedName, WEIGHT_FORMATS } from "./formats.ts";
import { GROUP, type StoredRows } from "./formats/format.ts";
import {
  groupCount,
  type Grouping,
  paddedColumns,
  padStored,
  placeGroups,
  unpadRows,
} from "./groups.ts";
import type { TensorEntry } from "./safetensors.ts";
import { isFloatType } from "./widen.ts";

const WEIGHT = ".weight";

const ConfigKey = z.object({
  format: z.enum(["f16", "int8", "int4"]),
  group: z.literal(GROUP).optional(),
});

/** How the matrices of a checkpoint were stored ahead of time: `quantization` of `config.json`. */
export type Quantization = Readonly<z.output<typeof ConfigKey>>;

/**
 * Reads key `quantization` of `config.json`.
 *
 * @returns `null` where there is none.
 * @throws {CheckpointError} If it names no format that is known.
 */
export function readQuantization(config: Readonly<Record<string, unknown>>): Quantization | null {
  if (config.quantization === undefined || config.quantization === null) return null;
  const { data } = ConfigKey.safeParse(config.quantization);
  if (data) return data;
  throw new CheckpointError(
    "config.json",
    "invalid_config",
    `key "quantization" is ${quote(config.quantization)}, expected format f16, int8 or int4 and ` +
      `group ${GROUP}`,
  );
}

/** Whether rows of a type can be read as f32: floating point, or what `joinQuantized` makes. */
export function isReadable(dtype: string): boolean {
  return isFloatType(dtype) ||
    WEIGHT_FORMATS.some((each) => isQuantized(each) && each.toUpperCase() === dtype);
}

/** A matrix in integers and the tensors of its scales. */
export interface QuantizedTensor extends Grouping {
  readonly format: QuantizedName;
  readonly weight: TensorEntry;
  /** One for each of the format's `scaleParts`. */
  readonly scales: readonly TensorEntry[];
}

/** Names of the tensors that hold the scales of a matrix. */
export function scaleNames(name: string, format: QuantizedName): string[] {
  return formatOf(format).scaleParts.map((part) => `${name.slice(0, -WEIGHT.length)}.${part}`);
}

/** Element type of the tensors of scales: one is a whole word, of two each is half of it. */
export function scaleType(format: QuantizedName): "F32" | "F16" {
  return formatOf(format).scaleParts.length === 1 ? "F32" : "F16";
}

/**
 * Joins the tensors of every quantized matrix to one entry of the matrix's own shape, with the name
 * of its format for a type.
 *
 * @throws {CheckpointError} If scales are missing, or of another type or shape.
 */
export function joinQuantized(
  tensors: ReadonlyMap<string, TensorEntry>,
  { quantization, file }: { quantization: Quantization | null; file: string },
): { tensors: ReadonlyMap<string, TensorEntry>; quantized: ReadonlyMap<string, QuantizedTensor> } {
  const quantized = new Map<string, QuantizedTensor>();
  const format = quantization?.format;
  if (format === undefined || !isQuantized(format)) return { tensors, quantized };
  const joined = new Map(tensors);
  for (const weight of tensors.values()) {
    const { name, dtype, shape } = weight;
    const { dtype: type, perElement } = formatOf(format);
    if (dtype !== type || shape.length !== 2 || !name.endsWith(WEIGHT)) continue;
    const scales = scaleNames(name, format).map((each) => {
      joined.delete(each);
      return tensors.get(each) ?? missing(file, each, name);
    });
    const [rows = 0, elements = 0] = shape;
    const width = elements * perElement;
    const parts = partsOf(scales, { rows, width, format });
    quantized.set(name, { format, weight, scales, width, parts });
    joined.set(name, { ...weight, dtype: format.toUpperCase(), shape: [rows, width] });
  }
  return { tensors: joined, quantized };
}

/**
 * Reads stored rows of a quantized matrix, their columns in the order of the file.
 *
 * @param read Gives bytes of a tensor.
 * @throws {CheckpointError} If a scale is no number.
 */
export function readStored(
  { format, weight, scales, ...grouping }: QuantizedTensor,
  { first, count, read }: {
    readonly first: number;
    readonly count: number;
    readonly read: (entry: TensorEntry, begin: number, length: number) => Uint8Array<ArrayBuffer>;
  },
): StoredRows {
  const rowBytes = grouping.width * formatOf(format).bits / 8;
  const groups = groupCount(grouping);
  const values = read(weight, first * rowBytes, count * rowBytes);
  const words = new Uint32Array(count * groups);
  const bytes = scaleType(format) === "F32" ? 4 : 2;
  scales.forEach((entry, part) => {
    const data = read(entry, first * groups * bytes, count * groups * bytes);
    const numbers = bytes === 4 ? new Float32Array(data.buffer) : new Float16Array(data.buffer);
    const wrong = numbers.findIndex((each) => !Number.isFinite(each));
    if (wrong >= 0) {
      const row = first + Math.floor(wrong / groups);
      const problem = `tensor ${quote(entry.name)} holds ${numbers[wrong]} in row ${row}`;
      throw new CheckpointError(entry.file, "invalid_tensor", `${problem}, expected numbers`);
    }
    const stored = bytes === 4 ? new Uint32Array(data.buffer) : new Uint16Array(data.buffer);
    // The first part is the lower half of the word.
    for (let i = 0; i < words.length; i++) words[i]! |= stored[i]! << 16 * part;
  });
  return { values, scales: words };
}

/** The values that stored rows stand for: [rows, width] f32. */
export function openStored(
  stored: StoredRows,
  { format, ...grouping }: Grouping & { readonly format: QuantizedName },
): Float32Array<ArrayBuffer> {
  const { width, parts } = grouping;
  const columns = paddedColumns(grouping);
  const places = placeGroups(columns, grouping)!; // They are of this grouping.
  const padded = padStored(stored, { width, parts, places, format: formatOf(format) });
  return unpadRows(formatOf(format).open(padded), width, columns);
}

/** Into how many parts the columns are divided: with several, scales have an axis for them. */
function partsOf(
  scales: readonly TensorEntry[],
  { rows, width, format }: { rows: number; width: number; format: QuantizedName },
): number {
  const parts = scales[0]?.shape.length === 3 ? scales[0].shape[1]! : 1;
  for (const { name, file, dtype, shape } of scales) {
    if (dtype !== scaleType(format)) {
      const problem = `tensor ${quote(name)} has dtype ${dtype}, expected ${scaleType(format)}`;
      throw new CheckpointError(file, "wrong_dtype", problem);
    }
    const groups = Math.ceil(width / parts / GROUP);
    const expected = shape.length === 3 ? [rows, parts, groups] : [rows, groups];
    const isSame = shape.length === expected.length && shape.every((n, i) => n === expected[i]);
    if (isSame && width % parts === 0) continue;
    const problem = `tensor ${quote(name)} has shape ${quote(shape)}, expected ${quote(expected)}`;
    throw new CheckpointError(file, "wrong_shape", problem);
  }
  return parts;
}

function missing(file: string, name: string, weight: string): never {
  const problem = `tensor ${quote(name)} is absent, expected beside ${quote(weight)}`;
  throw new CheckpointError(file, "missing_tensor", problem);
}
