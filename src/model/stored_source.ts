import { type Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import { formatOf, type MatrixSource } from "../weights/formats.ts";
import { GROUP } from "../weights/formats/format.ts";
import { type Line, padStored, placeGroups } from "../weights/groups.ts";

/**
 * Rows of a matrix that the files have quantized, moved to where the device wants them.
 *
 * @param place Where rows and columns of the file go; those of a chunk lie together in the file.
 * @returns `null` where the files have it as floating point.
 * @throws {CheckpointError} If groups of the file hold columns that the device keeps apart.
 */
export function storedSource(
  checkpoint: Checkpoint,
  name: string,
  { rows, columns }: { readonly rows: readonly Line[]; readonly columns: readonly Line[] },
): MatrixSource["stored"] | null {
  const tensor = checkpoint.quantizedTensor(name);
  if (tensor === null) return null;
  const { width, parts, weight } = tensor;
  const places = placeGroups(columns, tensor);
  if (places === null) {
    const problem = `the scales of tensor ${quote(name)} are of ${parts} parts of its columns, ` +
      "expected those that the model pads apart";
    throw new CheckpointError(weight.file, "wrong_shape", problem);
  }
  const format = formatOf(tensor.format);
  const rowBytes = columns.length * format.bits / 8;
  const groups = columns.length / GROUP;
  return {
    format: tensor.format,
    rows: (first, count) => {
      const lines = rows.slice(first, first + count);
      const known = lines.filter((line) => line !== null);
      const values = new Uint8Array(count * rowBytes);
      const scales = new Uint32Array(count * groups);
      if (known.length === 0) return { values, scales };
      const begin = known.reduce((a, b) => Math.min(a, b));
      const end = known.reduce((a, b) => Math.max(a, b)) + 1;
      const inFile = checkpoint.readStoredRows(tensor, begin, end - begin);
      const stored = padStored(inFile, { width, parts, places, format });
      lines.forEach((line, row) => {
        if (line === null) return;
        const from = line - begin;
        values.set(stored.values.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes);
        scales.set(stored.scales.subarray(from * groups, (from + 1) * groups), row * groups);
      });
      return { values, scales };
    },
  };
}
