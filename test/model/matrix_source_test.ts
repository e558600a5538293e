import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { matrixSource } from "../../src/model/matrix_source.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { Line } from "../../src/weights/groups.ts";
import { encode, type TestFloatType, writeJson, writeSafetensors } from "../support/checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

const [ROWS, WIDTH] = [4, 32];

/** What both tensors hold in a row of all lines, exact in every type: a line's own sign and size. */
function valueAt(line: number, column: number): number {
  return (line % 2 === 0 ? 1 : -1) * (8 * line + column);
}

/** Opens two tensors, `a` of lines 0 to 3 and `b` of lines 4 to 7. */
function withTensors(
  dtypes: { readonly a: TestFloatType; readonly b: TestFloatType },
  use: (checkpoint: Checkpoint) => void,
): void {
  const tensorOf = (dtype: TestFloatType, firstLine: number) => {
    const values = Float32Array.from(
      { length: ROWS * WIDTH },
      (_, i) => valueAt(firstLine + Math.floor(i / WIDTH), i % WIDTH),
    );
    return { dtype, shape: [ROWS, WIDTH], data: encode(values, dtype) };
  };
  withTempDir((directory) => {
    writeJson(join(directory, "config.json"), {});
    const tensors = { a: tensorOf(dtypes.a, 0), b: tensorOf(dtypes.b, ROWS) };
    writeSafetensors(join(directory, "model.safetensors"), tensors);
    using checkpoint = Checkpoint.open(directory);
    use(checkpoint);
  });
}

const columns: Line[] = Array.from({ length: WIDTH }, (_, i) => i);

/** One tensor in its order, two in turn with padding, one backwards, and across the border. */
const ARRANGEMENTS: readonly Line[][] = [
  [0, 1, 2, 3, 4, 5, 6, 7],
  [0, 4, 1, 5, 2, 6, null, null],
  [3, 2, 1, 0],
  [2, 3, 4, 5],
  [null, null, 7, null],
];

/** The lines from `first` on, by hand. */
function expectedRows(lines: readonly Line[], order: readonly Line[]): number[] {
  return lines.flatMap((line) =>
    order.map((column) => line === null || column === null ? 0 : valueAt(line, column))
  );
}

for (const dtype of ["F32", "F16", "BF16"] as const) {
  Deno.test(`matrixSource() gives lines of ${dtype} in the order that is asked for`, () => {
    withTensors({ a: dtype, b: dtype }, (checkpoint) => {
      for (const rows of ARRANGEMENTS) {
        const source = matrixSource(checkpoint, { weights: ["a", "b"], rows, columns });
        assertEquals([source.outputs, source.inputs], [rows.length, WIDTH]);
        assertEquals(source.stored?.format, dtype === "F32" ? undefined : "f16");
        for (const [first, count] of [[0, rows.length], [1, 2], [2, 1]] as const) {
          const expected = expectedRows(rows.slice(first, first + count), columns);
          assertEquals([...source.rows(first, count)].map((each) => each + 0), expected);
          if (!source.stored) continue;
          const { values, scales } = source.stored.rows(first, count);
          const { buffer, byteOffset, length } = values;
          const halves = new Float16Array(buffer, byteOffset, length / 2);
          assertEquals(Array.from(halves, (each) => each + 0), expected);
          assertEquals(scales.length, 0);
        }
      }
    });
  });
}

Deno.test("matrixSource() takes the way through f32 where rows are padded or not all are halves", () => {
  const padded: Line[] = [...columns.slice(0, 20), ...Array(12).fill(null), ...columns.slice(20)];
  const rows = [0, 4, 3];
  withTensors({ a: "BF16", b: "BF16" }, (checkpoint) => {
    const source = matrixSource(checkpoint, { weights: ["a", "b"], rows, columns: padded });
    assertEquals(source.stored, undefined);
    assertEquals([...source.rows(0, 3)].map((each) => each + 0), expectedRows(rows, padded));
  });
  withTensors({ a: "F16", b: "F32" }, (checkpoint) => {
    const source = matrixSource(checkpoint, { weights: ["a", "b"], rows, columns });
    assertEquals(source.stored, undefined);
    assertEquals([...source.rows(0, 3)].map((each) => each + 0), expectedRows(rows, columns));
  });
});
