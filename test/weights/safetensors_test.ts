import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError } from "../../src/weights/errors.ts";
import { readSafetensorsHeader, type TensorEntry } from "../../src/weights/safetensors.ts";
import { writeRawSafetensors, writeSafetensors } from "../support/checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

function read(path: string): TensorEntry[] {
  using file = Deno.openSync(path);
  return readSafetensorsHeader("a.safetensors", { file, size: file.statSync().size });
}

/** Reads a header written as it is, before data of this many bytes. */
function readHeader(header: unknown, dataBytes: number): TensorEntry[] {
  return withTempDir((directory) => {
    const path = join(directory, "a.safetensors");
    writeRawSafetensors(path, JSON.stringify(header), [new Uint8Array(dataBytes)]);
    return read(path);
  });
}

Deno.test("readSafetensorsHeader() gives name, type, shape and place of every tensor", () => {
  withTempDir((directory) => {
    const path = join(directory, "a.safetensors");
    writeSafetensors(path, {
      scalar: { dtype: "F32", shape: [], data: new Uint8Array(4) },
      matrix: { dtype: "BF16", shape: [3, 5], data: new Uint8Array(30) },
    });
    const size = Deno.statSync(path).size;
    const file = "a.safetensors";
    assertEquals(read(path), [
      { name: "scalar", dtype: "F32", shape: [], file, offset: size - 34, bytes: 4 },
      { name: "matrix", dtype: "BF16", shape: [3, 5], file, offset: size - 30, bytes: 30 },
    ]);
  });
});

Deno.test("readSafetensorsHeader() reads a file without tensors", () => {
  assertEquals(readHeader({}, 0), []);
});

Deno.test("readSafetensorsHeader() accepts data in another order than the header", () => {
  const header = {
    b: { dtype: "U8", shape: [3], data_offsets: [2, 5] },
    a: { dtype: "I16", shape: [1, 1], data_offsets: [0, 2] },
  };
  assertEquals(readHeader(header, 5).map(({ name, bytes }) => [name, bytes]), [["b", 3], ["a", 2]]);
});

Deno.test("readSafetensorsHeader() accepts empty tensors between, before and after others", () => {
  const header = {
    first: { dtype: "F32", shape: [0, 7], data_offsets: [0, 0] },
    a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
    between: { dtype: "F16", shape: [3, 0], data_offsets: [4, 4] },
    b: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
    last: { dtype: "U64", shape: [0], data_offsets: [8, 8] },
  };
  assertEquals(readHeader(header, 8).length, 5);
});

// Bits as the format's own list of types has them.
for (
  const [bits, types] of [
    [4, "F4"],
    [6, "F6_E2M3 F6_E3M2"],
    [8, "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ"],
    [16, "I16 U16 F16 BF16"],
    [32, "I32 U32 F32"],
    [64, "I64 U64 F64 C64"],
  ] as const
) {
  for (const dtype of types.split(" ")) {
    Deno.test(`readSafetensorsHeader() takes ${bits} bits for an element of ${dtype}`, () => {
      const header = (bytes: number) => ({
        a: { dtype, shape: [4, 1], data_offsets: [0, bytes] },
      });
      assertEquals(readHeader(header(bits / 2), bits / 2)[0]?.bytes, bits / 2);
      assertThrows(() => readHeader(header(bits / 2 + 1), bits / 2 + 1), CheckpointError, '"a"');
    });
  }
}

Deno.test("readSafetensorsHeader() accepts a header of exactly 16 MiB and no longer one", () => {
  const header = (bytes: number) => {
    const frame = JSON.stringify({ __metadata__: { x: "" } });
    return { __metadata__: { x: "x".repeat(bytes - frame.length) } };
  };
  assertEquals(readHeader(header(2 ** 24), 0), []);
  assertThrows(() => readHeader(header(2 ** 24 + 1), 0), CheckpointError, "header length");
});
