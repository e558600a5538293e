import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import { formatOf, type MatrixSource } from "../weights/formats.ts";
import { GROUP, type StoredRows } from "../weights/formats/format.ts";
import { type Line, padStored, placeGroups } from "../weights/groups.ts";
import type { QuantizedTensor } from "../weights/quantized_tensor.ts";

/** A matrix for the device, made of the rows of stored tensors, one below the other. */
interface Arrangement {
  readonly weights: readonly string[];
  /** Lines of all tensors together; those of a chunk lie near each other in a tensor. */
  readonly rows: readonly Line[];
  readonly columns: readonly Line[];
}

/** Reads padded rows of one tensor, whose first is line `begin` of all. */
interface Part {
  readonly begin: number;
  readonly end: number;
  readonly read: (first: number, count: number) => StoredRows;
}

/**
 * Rows of a matrix that the files have quantized, moved to where the device wants them.
 *
 * @returns `null` where the files have a tensor of it as floating point.
 * @throws {CheckpointError} If groups of the file hold columns that the device keeps apart.
 */
export function storedSource(
  checkpoint: Checkpoint,
  { weights, rows, columns }: Arrangement,
): MatrixSource["stored"] | null {
  const tensors = weights.map((name) => checkpoint.quantizedTensor(name));
  if (!tensors.every((tensor) => tensor !== null)) return null;
  const [{ format: name }] = tensors as [QuantizedTensor]; // A matrix has one at least.
  const rowBytes = columns.length * formatOf(name).bits / 8;
  const groups = columns.length / GROUP;
  let end = 0;
  const parts = tensors.map((tensor): Part => {
    const begin = end;
    end += tensor.weight.shape[0]!; // A matrix.
    return { begin, end, read: readerOf(checkpoint, tensor, columns) };
  });
  return {
    format: name,
    rows: (first, count) => {
      const into = {
        values: new Uint8Array(count * rowBytes),
        scales: new Uint32Array(count * groups),
      };
      const lines = rows.slice(first, first + count);
      for (const part of parts) copyRows(part, { lines, into, rowBytes, groups });
      return into;
    },
  };
}

function readerOf(
  checkpoint: Checkpoint,
  tensor: QuantizedTensor,
  columns: readonly Line[],
): Part["read"] {
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

/** Puts those of the lines that are a tensor's into their rows of the result. */
function copyRows(
  { begin, end, read }: Part,
  { lines, into, rowBytes, groups }: {
    readonly lines: readonly Line[];
    readonly into: StoredRows;
    readonly rowBytes: number;
    readonly groups: number;
  },
): void {
  const isOwn = (line: Line) => line !== null && line >= begin && line < end;
  const own = lines.filter(isOwn) as number[]; // No padding is anybody's.
  if (own.length === 0) return;
  const least = own.reduce((a, b) => Math.min(a, b));
  const count = own.reduce((a, b) => Math.max(a, b)) + 1 - least;
  const { values, scales } = read(least - begin, count);
  lines.forEach((line, row) => {
    if (!isOwn(line)) return;
    const from = line! - least;
    into.values.set(values.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes);
    into.scales.set(scales.subarray(from * groups, (from + 1) * groups), row * groups);
  });
}
