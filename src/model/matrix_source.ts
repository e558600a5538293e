import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import { formatOf, type MatrixSource } from "../weights/formats.ts";
import { GROUP, type StoredRows } from "../weights/formats/format.ts";
import { type Line, padRows, padStored, placeGroups } from "../weights/groups.ts";
import type { QuantizedTensor } from "../weights/quantized_tensor.ts";

/** A matrix for the device, made of the rows of stored tensors, one below the other. */
interface Arrangement {
  readonly weights: readonly string[];
  /** Lines of all tensors together; those of a chunk lie near each other in a tensor. */
  readonly rows: readonly Line[];
  readonly columns: readonly Line[];
}

/** Reads rows of a tensor with their columns where the device wants them. */
type ReadRows = (first: number, count: number) => StoredRows;

/** A tensor whose first row is line `begin` of all. */
interface Part {
  readonly begin: number;
  readonly end: number;
  readonly read: ReadRows;
}

/** What a row has of {@linkcode StoredRows}. */
interface RowSize {
  readonly bytes: number;
  readonly groups: number;
}

/**
 * Rows of a matrix on the device, read from the files as they are asked for.
 *
 * @throws {CheckpointError} If groups of a quantized file hold columns that the device keeps apart.
 */
export function matrixSource(checkpoint: Checkpoint, arrangement: Arrangement): MatrixSource {
  const { weights, rows, columns } = arrangement;
  const readers = weights.map((name) => exactReader(checkpoint, name, columns));
  const size = { bytes: 4 * columns.length, groups: 0 };
  const exact = arrange(checkpoint, arrangement, { readers, size });
  const stored = quantizedRows(checkpoint, arrangement) ?? halfRows(checkpoint, arrangement);
  return {
    outputs: rows.length,
    inputs: columns.length,
    rows: (first, count) => {
      const { buffer, byteOffset, length } = exact(first, count).values;
      return new Float32Array(buffer, byteOffset, length / 4);
    },
    ...(stored && { stored }),
  };
}

function exactReader(checkpoint: Checkpoint, name: string, columns: readonly Line[]): ReadRows {
  return (first, count) => {
    const rows = checkpoint.readRows(name, first, count);
    return bytesOf(padRows(rows, rows.length / count, columns));
  };
}

/** Halves go to the device without a detour through f32, unless their rows are padded. */
function halfRows(checkpoint: Checkpoint, arrangement: Arrangement): MatrixSource["stored"] | null {
  const { weights, columns } = arrangement;
  const isHalf = (name: string) => {
    const { dtype, shape } = checkpoint.tensors.get(name)!; // Checked with the configuration.
    return (dtype === "F16" || dtype === "BF16") && shape.at(-1) === columns.length;
  };
  if (!weights.every(isHalf)) return null;
  const readers = weights.map((name): ReadRows => (first, count) =>
    bytesOf(checkpoint.readHalves(name, first, count))
  );
  const size = { bytes: 2 * columns.length, groups: 0 };
  return { format: "f16", rows: arrange(checkpoint, arrangement, { readers, size }) };
}

/** Rows that the files have quantized; `null` where they have a tensor as floating point. */
function quantizedRows(
  checkpoint: Checkpoint,
  arrangement: Arrangement,
): MatrixSource["stored"] | null {
  const { weights, columns } = arrangement;
  const tensors = weights.map((name) => checkpoint.quantizedTensor(name));
  if (!tensors.every((tensor) => tensor !== null)) return null;
  const [{ format }] = tensors as [QuantizedTensor]; // A matrix has one at least.
  const readers = tensors.map((tensor) => quantizedReader(checkpoint, tensor, columns));
  const { bits } = formatOf(format);
  const size = { bytes: columns.length * bits / 8, groups: columns.length / GROUP };
  return { format, rows: arrange(checkpoint, arrangement, { readers, size }) };
}

function quantizedReader(
  checkpoint: Checkpoint,
  tensor: QuantizedTensor,
  columns: readonly Line[],
): ReadRows {
  const { width, parts, weight } = tensor;
  const format = formatOf(tensor.format);
  const places = placeGroups(columns, tensor);
  if (places === null) {
    const problem = `the scales of tensor ${quote(weight.name)} are of ${parts} parts of its ` +
      "columns, expected those that the model pads apart";
    throw new CheckpointError(weight.file, "wrong_shape", problem);
  }
  return (first, count) =>
    padStored(checkpoint.readStoredRows(tensor, first, count), { width, parts, places, format });
}

/** Reads the lines of a matrix: those of a chunk in the order of the matrix. */
function arrange(
  checkpoint: Checkpoint,
  { weights, rows }: Arrangement,
  { readers, size }: { readonly readers: readonly ReadRows[]; readonly size: RowSize },
): ReadRows {
  let end = 0;
  const parts = readers.map((read, i): Part => {
    const begin = end;
    end += checkpoint.tensors.get(weights[i]!)!.shape[0]!; // As many; they are there.
    return { begin, end, read };
  });
  return (first, count) => {
    const lines = rows.slice(first, first + count);
    const part = parts.find((each) => isRun(lines, each));
    if (part) return part.read(lines[0]! - part.begin, count);
    const into = {
      values: new Uint8Array(count * size.bytes),
      scales: new Uint32Array(count * size.groups),
    };
    for (const part of parts) copyRows(part, { lines, into, size });
    return into;
  };
}

/** Whether lines are neighbours in a tensor, in its order. */
function isRun(lines: readonly Line[], { begin, end }: Part): boolean {
  const [first = null] = lines;
  return first !== null && first >= begin && first + lines.length <= end &&
    lines.every((line, i) => line === first + i);
}

/** Puts those of the lines that are a tensor's into their rows of the result. */
function copyRows(
  { begin, end, read }: Part,
  { lines, into, size: { bytes, groups } }: {
    readonly lines: readonly Line[];
    readonly into: StoredRows;
    readonly size: RowSize;
  },
): void {
  const isOwn = (line: Line) => line !== null && line >= begin && line < end;
  const own = lines.filter(isOwn) as number[]; // No padding is anybody's.
  if (own.length === 0) return;
  // Lines rise from head to head, so what a chunk needs lies together in the file.
  const least = own.reduce((a, b) => Math.min(a, b));
  const count = own.reduce((a, b) => Math.max(a, b)) + 1 - least;
  const { values, scales } = read(least - begin, count);
  lines.forEach((line, row) => {
    if (!isOwn(line)) return;
    const from = line! - least;
    into.values.set(values.subarray(from * bytes, (from + 1) * bytes), row * bytes);
    into.scales.set(scales.subarray(from * groups, (from + 1) * groups), row * groups);
  });
}

function bytesOf(rows: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): StoredRows {
  const { buffer, byteOffset, byteLength } = rows;
  return { values: new Uint8Array(buffer, byteOffset, byteLength), scales: new Uint32Array() };
}
