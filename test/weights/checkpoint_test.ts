import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { Checkpoint, CheckpointError } from "../../src/weights/checkpoint.ts";
import {
  type TestTensor,
  TINY_CONFIG,
  tinyShapes,
  tinyTensors,
  writeJson,
  writeSafetensors,
  writeTinyCheckpoint,
} from "../support/checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Opens a checkpoint of these tensors and nothing else. */
function withTensors(
  tensors: Readonly<Record<string, TestTensor>>,
  use: (checkpoint: Checkpoint) => void,
): void {
  withTempDir((directory) => {
    writeJson(join(directory, "config.json"), {});
    writeSafetensors(join(directory, "model.safetensors"), tensors);
    using checkpoint = Checkpoint.open(directory);
    use(checkpoint);
  });
}

/** 0, 1, 2, … in the given shape; up to 256 they are exact in every type. */
function counting(dtype: "F32" | "F16" | "BF16", shape: readonly number[]): TestTensor {
  const length = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length }, (_, i) => i);
  const bits = new Uint32Array(values.buffer);
  const data = {
    F32: values,
    F16: Float16Array.from(values),
    BF16: Uint16Array.from(bits, (each) => each >>> 16),
  }[dtype];
  return { dtype, shape, data: new Uint8Array(data.buffer) };
}

for (const dtype of ["F32", "F16", "BF16"] as const) {
  Deno.test(`Checkpoint.readRows() reads any run of ${dtype} rows`, () => {
    withTensors({
      before: counting("F16", [3]),
      matrix: counting(dtype, [5, 7]),
      after: counting("F32", [1]),
    }, (checkpoint) => {
      for (const [first, count] of [[0, 5], [0, 1], [4, 1], [1, 3], [2, 0], [5, 0]] as const) {
        const expected = Array.from({ length: 7 * count }, (_, i) => 7 * first + i);
        assertEquals([...checkpoint.readRows("matrix", first, count)], expected);
      }
    });
  });

  Deno.test(`Checkpoint.readRows() reads vectors, scalars and higher ranks of ${dtype}`, () => {
    withTensors({
      vector: counting(dtype, [6]),
      scalar: counting(dtype, []),
      cube: counting(dtype, [2, 3, 4]),
      empty: counting(dtype, [4, 0]),
    }, (checkpoint) => {
      assertEquals([...checkpoint.readRows("vector", 2, 3)], [2, 3, 4]);
      assertEquals([...checkpoint.readRows("scalar", 0, 1)], [0]);
      assertEquals([...checkpoint.readRows("cube", 1, 1)], [...Array(24).keys()].slice(12));
      assertEquals([...checkpoint.readRows("empty", 1, 2)], []);
    });
  });
}

for (const [dtype, elementBytes] of [["F16", 2], ["F32", 4]] as const) {
  Deno.test(`Checkpoint.readRows() reads ${dtype} rows that take several chunks`, () => {
    // 2^17 halves make a chunk, so this is two and a ragged tail.
    const [rows, width] = [259, 1025];
    const data = new Uint8Array(rows * width * elementBytes);
    const view = new DataView(data.buffer);
    const last = rows * width - 1;
    const ones = [0, 2 ** 17 - 1, 2 ** 17, 2 ** 18 - 1, 2 ** 18, last];
    for (const index of ones) {
      if (dtype === "F16") view.setUint16(2 * index, 0x3c00, true);
      else view.setFloat32(4 * index, 1, true);
    }
    withTensors({ large: { dtype, shape: [rows, width], data } }, (checkpoint) => {
      const values = checkpoint.readRows("large", 0, rows);
      const found: number[] = [];
      values.forEach((value, index) => value !== 0 && found.push(index));
      assertEquals([values.length, found], [rows * width, ones]);
    });
  });
}

for (const dtype of ["F16", "BF16"] as const) {
  Deno.test(`Checkpoint.readHalves() reads any run of ${dtype} rows as f16`, () => {
    withTensors({ before: counting("F32", [3]), matrix: counting(dtype, [5, 7]) }, (checkpoint) => {
      for (const [first, count] of [[0, 5], [4, 1], [1, 3], [2, 0]] as const) {
        const expected = Array.from({ length: 7 * count }, (_, i) => 7 * first + i);
        const halves = checkpoint.readHalves("matrix", first, count);
        assertEquals([...new Float16Array(halves.buffer)], expected);
      }
      assertThrows(() => checkpoint.readHalves("matrix", 3, 3), RangeError, "row 6 is asked for");
    });
  });
}

Deno.test("Checkpoint.readHalves() refuses tensors that are no halves", () => {
  withTensors({ matrix: counting("F32", [2, 2]) }, (checkpoint) => {
    const error = assertThrows(() => checkpoint.readHalves("matrix", 0, 1), CheckpointError);
    assertEquals(error.code, "wrong_dtype");
    assertStringIncludes(error.message, "F32, expected F16 or BF16");
    assertThrows(() => checkpoint.readHalves("other", 0, 1), CheckpointError, "absent");
  });
});

Deno.test("Checkpoint.readRows() throws for rows that the tensor does not have", () => {
  withTensors({ matrix: counting("F32", [5, 7]) }, (checkpoint) => {
    for (const [first, count] of [[0, 6], [5, 1], [-1, 1], [0, -1], [0.5, 1], [0, NaN]] as const) {
      assertThrows(() => checkpoint.readRows("matrix", first, count), RangeError, "Cannot read");
    }
  });
});

Deno.test("Checkpoint.readRows() refuses absent tensors and integers", () => {
  withTensors({ ids: { dtype: "I32", shape: [1], data: new Uint8Array(4) } }, (checkpoint) => {
    const absent = assertThrows(() => checkpoint.readRows("x", 0, 1), CheckpointError, '"x"');
    assertEquals([absent.code, absent.file], ["missing_tensor", "model.safetensors"]);
    const integers = assertThrows(() => checkpoint.readRows("ids", 0, 1), CheckpointError, "I32");
    assertEquals([integers.code, integers.file], ["wrong_dtype", "model.safetensors"]);
  });
});

Deno.test("Checkpoint.readRows() refuses a file that shrank after it was opened", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    using checkpoint = Checkpoint.open(directory);
    Deno.truncateSync(join(directory, "model.safetensors"), 5000);
    const name = "backbone.output_layer.linear.weight";
    const error = assertThrows(() => checkpoint.readRows(name, 0, 1), CheckpointError, "ends");
    assertEquals([error.code, error.file], ["unreadable_file", "model.safetensors"]);
  });
});

Deno.test("Checkpoint.open() reads the same tensors from one file and from shards", () => {
  withTempDir((directory) => {
    const tensors = tinyTensors(TINY_CONFIG, { dtype: "F32", seed: 7 });
    for (const shards of [1, 3]) {
      const path = writeTinyCheckpoint(join(directory, String(shards)), { shards, seed: 7 });
      using checkpoint = Checkpoint.open(path);
      assertEquals([...checkpoint.tensors.keys()].toSorted(), Object.keys(tensors).toSorted());
      for (const [name, { shape, data }] of Object.entries(tensors)) {
        assertEquals(checkpoint.tensors.get(name)?.shape, shape);
        const rows = checkpoint.readRows(name, 0, shape[0] ?? 1);
        assertEquals(new Uint8Array(rows.buffer), data);
      }
    }
  });
});

Deno.test("Checkpoint.open() prefers the single file to an index beside it", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    writeJson(join(directory, "model.safetensors.index.json"), { weight_map: { a: "../b" } });
    using checkpoint = Checkpoint.open(directory);
    assertEquals(checkpoint.weightsFile, "model.safetensors");
  });
});

Deno.test("Checkpoint.open() follows links that stay inside the directory", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    Deno.mkdirSync(join(directory, "blobs"));
    for (const name of ["config.json", "model.safetensors"]) {
      Deno.renameSync(join(directory, name), join(directory, "blobs", name));
      Deno.symlinkSync(`blobs/${name}`, join(directory, name));
    }
    Deno.symlinkSync(directory, `${directory}-link`);
    try {
      using checkpoint = Checkpoint.open(`${directory}-link`);
      assertEquals(checkpoint.readRows("sampling_eps_min", 0, 1).length, 1);
    } finally {
      Deno.removeSync(`${directory}-link`);
    }
  });
});

Deno.test("Checkpoint.open() reads shards in a subdirectory and ignores pickles", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory, { shards: 2 });
    Deno.writeTextFileSync(join(directory, "pytorch_model.bin"), "");
    Deno.mkdirSync(join(directory, "shards"));
    const path = join(directory, "model.safetensors.index.json");
    const index = JSON.parse(Deno.readTextFileSync(path));
    for (const name of new Set<string>(Object.values(index.weight_map))) {
      Deno.renameSync(join(directory, name), join(directory, "shards", name));
    }
    for (const tensor in index.weight_map) {
      index.weight_map[tensor] = `shards/${index.weight_map[tensor]}`;
    }
    writeJson(path, { weight_map: index.weight_map });
    using checkpoint = Checkpoint.open(directory);
    assertEquals(checkpoint.tensors.size, Object.keys(tinyShapes(TINY_CONFIG)).length);
  });
});

Deno.test("Checkpoint.isHalf is true where no matrix is F32", () => {
  const half = counting("F16", [2, 2]);
  const other = counting("BF16", [2, 2]);
  const full = counting("F32", [2, 2]);
  const vector = counting("F32", [2]);
  for (
    const [tensors, isHalf] of [
      [{ half, other, vector }, true],
      [{ half, full }, false],
      [{ full }, false],
      [{ vector }, false],
    ] as const
  ) {
    withTensors(tensors, (checkpoint) => assertEquals(checkpoint.isHalf, isHalf));
  }
});

Deno.test("Checkpoint.sizeBytes counts the tensor files whole", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory, { shards: 2 });
    const files = [...Deno.readDirSync(directory)].map(({ name }) => join(directory, name))
      .filter((path) => path.endsWith(".safetensors"));
    using checkpoint = Checkpoint.open(directory);
    assertEquals(checkpoint.sizeBytes, files.reduce((sum, f) => sum + Deno.statSync(f).size, 0));
  });
});

Deno.test("Checkpoint.json() reads files of the directory, and null where there is none", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    using checkpoint = Checkpoint.open(directory);
    assertEquals(checkpoint.json("generation_config.json"), null);
    assertEquals(checkpoint.json("tokenizer_config.json")?.mask_token, "<|mask|>");
    writeJson(join(directory, "generation_config.json"), [1]);
    const error = assertThrows(() => checkpoint.json("generation_config.json"), CheckpointError);
    assertEquals([error.code, error.file], ["invalid_json", "generation_config.json"]);
  });
});

Deno.test("Checkpoint.open() says what is wrong with a path that is no directory", () => {
  withTempDir((directory) => {
    const absent = join(directory, "absent");
    const error = assertThrows(() => Checkpoint.open(absent), CheckpointError);
    assertEquals([error.code, error.file], ["missing_file", "."]);
    assert(!error.message.includes(directory));
    Deno.writeTextFileSync(absent, "");
    assertEquals(assertThrows(() => Checkpoint.open(absent), CheckpointError).code, "not_a_file");
  });
});

/** A tiny checkpoint as the snapshot of a hub's cache; its weights are a link to `target`. */
function writeSnapshot(cache: string, target: string): string {
  const snapshot = join(cache, "models--org--name", "snapshots", "1".repeat(40));
  Deno.mkdirSync(join(cache, "models--org--name", "blobs"), { recursive: true });
  writeTinyCheckpoint(snapshot);
  const weights = join(snapshot, "model.safetensors");
  Deno.renameSync(weights, join(snapshot, target));
  Deno.symlinkSync(target, weights);
  return snapshot;
}

Deno.test("Checkpoint.open() follows the links of a snapshot to the blobs of its model", () => {
  withTempDir((cache) => {
    using checkpoint = Checkpoint.open(writeSnapshot(cache, "../../blobs/b"));
    assertEquals(checkpoint.readRows("sampling_eps_min", 0, 1).length, 1);
  });
});

for (const target of ["../../b", "../../refs", "../../../b", "../b"]) {
  Deno.test(`Checkpoint.open() refuses a link of a snapshot to ${target}`, () => {
    withTempDir((cache) => {
      const snapshot = writeSnapshot(cache, target);
      const { code } = assertThrows(() => Checkpoint.open(snapshot), CheckpointError);
      assertEquals(code, "outside_directory");
    });
  });
}

Deno.test("Checkpoint.open() refuses blobs that are themselves elsewhere", () => {
  withTempDir((cache) => {
    const snapshot = writeSnapshot(cache, "../../blobs/b");
    const blobs = join(cache, "models--org--name", "blobs");
    Deno.renameSync(blobs, join(cache, "elsewhere"));
    Deno.symlinkSync(join(cache, "elsewhere"), blobs);
    const { code } = assertThrows(() => Checkpoint.open(snapshot), CheckpointError);
    assertEquals(code, "outside_directory");
  });
});

Deno.test("Checkpoint.open() takes another's tokenizer where it has none itself", () => {
  withTempDir((directory) => {
    const [bare, whole] = ["bare", "whole"].map((name) => join(directory, name));
    writeTinyCheckpoint(bare!, { hasTokenizer: false });
    writeTinyCheckpoint(whole!);
    Deno.writeTextFileSync(join(whole!, "generation_config.json"), "{}");
    const filesOf = (path: string, tokenizer?: string) => {
      using checkpoint = Checkpoint.open(path, tokenizer === undefined ? {} : { tokenizer });
      const names = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"];
      return names.filter((name) => checkpoint.json(name) !== null);
    };
    assertEquals(filesOf(bare!), []);
    assertEquals(filesOf(bare!, whole!), ["tokenizer.json", "tokenizer_config.json"]);
    assertEquals(filesOf(whole!, bare!).length, 3);
  });
});

Deno.test("Checkpoint.open() needs no permission but to read the directory", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(join(directory, "real"), { shards: 2 });
    Deno.symlinkSync("real", join(directory, "link"));
    const module = new URL("../../src/weights/checkpoint.ts", import.meta.url);
    const config = fromFileUrl(new URL("../../deno.json", import.meta.url));
    for (const name of ["real", "link"]) {
      const path = join(directory, name);
      const code = `import { Checkpoint } from ${JSON.stringify(module)};
        using checkpoint = Checkpoint.open(${JSON.stringify(path)});
        console.log(checkpoint.readRows("sampling_eps_min", 0, 1).length);`;
      const script = join(directory, "script.ts");
      Deno.writeTextFileSync(script, code);
      const { stdout, stderr } = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--config", config, `--allow-read=${path}`, script],
      }).outputSync();
      assertStringIncludes(new TextDecoder().decode(stdout), "1", new TextDecoder().decode(stderr));
    }
  });
});
