import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { quantize } from "../../src/commands/quantize.ts";
import { readFamilyConfig } from "../../src/model/mod.ts";
import { Checkpoint, CheckpointError } from "../../src/weights/checkpoint.ts";
import { readQuantization } from "../../src/weights/quantized_tensor.ts";
import { writeJson, writeSafetensors, writeTinyCheckpoint } from "../support/checkpoints.ts";
import { editHeader, editJson, type Header } from "../support/damage/damage.ts";

const FILE = "model.safetensors";
const NAME = "backbone.blocks.0.mlp.2";

async function withQuantized(
  format: "int8" | "int4",
  use: (directory: string) => void,
): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    const from = writeTinyCheckpoint(join(directory, "from"));
    await quantize(from, { out: join(directory, "out"), format });
    use(join(directory, "out"));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Renames a tensor, so that it is missing under its old name. */
function rename(header: Header, name: string): void {
  header[`${name}.away`] = header[name]!;
  delete header[name];
}

interface Fault {
  readonly name: string;
  readonly spoil: (directory: string) => void;
  readonly error: readonly [file: string, code: string, says: string];
}

const FAULTS: readonly Fault[] = [
  {
    name: "a missing scale",
    spoil: (directory) => editHeader(join(directory, FILE), (all) => rename(all, `${NAME}.scale`)),
    error: [FILE, "missing_tensor", `"${NAME}.scale" is absent, expected beside "${NAME}.weight"`],
  },
  {
    name: "a missing offset",
    spoil: (directory) => editHeader(join(directory, FILE), (all) => rename(all, `${NAME}.offset`)),
    error: [FILE, "missing_tensor", `"${NAME}.offset" is absent`],
  },
  {
    name: "scales of another shape",
    spoil: (directory) =>
      editHeader(join(directory, FILE), (all) => void (all[`${NAME}.scale`]!.shape = [2, 16])),
    error: [FILE, "wrong_shape", `"${NAME}.scale" has shape [2,16], expected [16,2]`],
  },
  {
    name: "scales of another type",
    spoil: (directory) =>
      editHeader(join(directory, FILE), (all) => void (all[`${NAME}.scale`]!.dtype = "BF16")),
    error: [FILE, "wrong_dtype", `"${NAME}.scale" has dtype BF16, expected F16`],
  },
  {
    name: "weights of another shape",
    spoil: (directory) =>
      editHeader(join(directory, FILE), (all) => {
        all[`${NAME}.weight`]!.shape = [32, 16];
        for (const part of ["scale", "offset"]) all[`${NAME}.${part}`]!.shape = [32, 1];
      }),
    error: [FILE, "wrong_shape", `"${NAME}.weight" has shape [32,32], expected [16,64]`],
  },
  {
    name: "weights of another format",
    spoil: (directory) =>
      editJson(
        join(directory, "config.json"),
        (config) => void (config.quantization.format = "int8"),
      ),
    error: [FILE, "wrong_dtype", "has dtype U8, expected F32, F16 or BF16"],
  },
  {
    name: "no word of quantization",
    spoil: (directory) =>
      editJson(join(directory, "config.json"), (config) => void delete config.quantization),
    error: [FILE, "wrong_dtype", "has dtype U8, expected F32, F16 or BF16"],
  },
  {
    name: "an unknown format",
    spoil: (directory) =>
      editJson(
        join(directory, "config.json"),
        (config) => void (config.quantization.format = "nf4"),
      ),
    error: ["config.json", "invalid_config", 'key "quantization" is {"format":"nf4","group":32}'],
  },
  {
    name: "another group",
    spoil: (directory) =>
      editJson(join(directory, "config.json"), (config) => void (config.quantization.group = 64)),
    error: ["config.json", "invalid_config", 'key "quantization" is {"format":"int4","group":64}'],
  },
];

for (const { name, spoil, error: [file, code, says] } of FAULTS) {
  Deno.test(`a quantized checkpoint with ${name} is refused`, async () => {
    await withQuantized("int4", (directory) => {
      spoil(directory);
      const error = assertThrows(
        () => {
          using checkpoint = Checkpoint.open(directory);
          readFamilyConfig(checkpoint);
        },
        CheckpointError,
        says,
      );
      assertEquals([error.file, error.code], [file, code]);
    });
  });
}

for (const [format, part] of [["int8", "scale"], ["int4", "scale"], ["int4", "offset"]] as const) {
  Deno.test(`rows of ${format} whose ${part} is no number are refused`, async () => {
    await withQuantized(format, (directory) => {
      editHeader(join(directory, FILE), (header, data) => {
        const [begin] = header[`${NAME}.${part}`]!.data_offsets as [number, number];
        // All ones is NaN; row 3 has two groups.
        const bytes = format === "int8" ? 4 : 2;
        return data.fill(0xff, begin + 6 * bytes, begin + 7 * bytes);
      });
      using checkpoint = Checkpoint.open(directory);
      readFamilyConfig(checkpoint);
      checkpoint.readRows(`${NAME}.weight`, 0, 3);
      const says = `"${NAME}.${part}" holds NaN in row 3, expected numbers`;
      for (
        const read of [
          () => checkpoint.readRows(`${NAME}.weight`, 2, 2),
          () => checkpoint.readStoredRows(checkpoint.quantizedTensor(`${NAME}.weight`)!, 3, 1),
        ]
      ) {
        const error = assertThrows(read, CheckpointError, says);
        assertEquals(error.code, "invalid_tensor");
      }
    });
  });
}

Deno.test("readRows() gives what the documented layout stands for", () => {
  // Two rows of 34 columns, by hand: a group of 32 and one of 2.
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  const halves = (...values: number[]) => new Uint8Array(Float16Array.from(values).buffer);
  const bytes = new Uint8Array(34);
  // Row 0: 1, 2, 0, …, then 15 and 4; row 1: 3 in column 31, 5 in column 33.
  bytes.set([0x21], 0);
  bytes.set([0x4f], 16);
  bytes.set([0x30], 17 + 15);
  bytes.set([0x50], 17 + 16);
  try {
    writeJson(join(directory, "config.json"), { quantization: { format: "int4", group: 32 } });
    writeSafetensors(join(directory, FILE), {
      "a.weight": { dtype: "U8", shape: [2, 17], data: bytes },
      "a.scale": { dtype: "F16", shape: [2, 2], data: halves(0.5, 2, 1, -0.25) },
      "a.offset": { dtype: "F16", shape: [2, 2], data: halves(-1, 10, 0, 1) },
    });
    using checkpoint = Checkpoint.open(directory);
    assertEquals(checkpoint.tensors.get("a.weight")?.shape, [2, 34]);
    assertEquals([...checkpoint.tensors.keys()], ["a.weight"]);
    const expected = [
      ...[-0.5, 0, ...Array(30).fill(-1), 40, 18],
      ...[...Array(31).fill(0), 3, 1, -0.25],
    ];
    assertEquals([...checkpoint.readRows("a.weight", 0, 2)], expected);
    assertEquals([...checkpoint.readRows("a.weight", 1, 1)], expected.slice(34));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("readQuantization() finds nothing where nothing is said", () => {
  assertEquals([readQuantization({}), readQuantization({ quantization: null })], [null, null]);
});
