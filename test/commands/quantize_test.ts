import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { check } from "../../src/commands/check.ts";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { UsageError } from "../../src/commands/flags.ts";
import { permissionsOf } from "../../src/commands/permissions.ts";
import { quantize } from "../../src/commands/quantize.ts";
import { parseQuantizeOptions } from "../../src/commands/quantize_options.ts";
import type { Gpu, Tensor } from "../../src/gpu/mod.ts";
import { loadBd3lm } from "../../src/model/bd3lm_load.ts";
import { defaultFormat, readFamilyConfig } from "../../src/model/mod.ts";
import { loadQwen } from "../../src/model/qwen_load.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { editHeader } from "../support/damage/damage.ts";
import { gpuTest } from "../support/gpu.ts";
import { ROOT, runDeno } from "../support/process.ts";
import { writeTinyQwen } from "../support/qwen_checkpoints.ts";

async function inTempDir(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    await use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Everything that loading a checkpoint writes to the device: name, byte offset and bytes. */
function uploadsOf(gpu: Gpu, directory: string, weights: WeightFormat | null): unknown[] {
  const uploads: unknown[] = [];
  const recording = new Proxy(gpu, {
    get(target, key) {
      if (key !== "write") {
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return (tensor: Tensor, data: ArrayBufferView<ArrayBuffer>, offset = 0) => {
        uploads.push([tensor.name, offset, new Uint8Array(data.buffer.slice(data.byteOffset))]);
        target.write(tensor, data, offset);
      };
    },
  });
  using checkpoint = Checkpoint.open(directory);
  const config = readFamilyConfig(checkpoint);
  const format = weights ?? defaultFormat(checkpoint);
  using _ = config.modelType === "bd3lm"
    ? loadBd3lm(recording, checkpoint, { config, format })
    : loadQwen(recording, checkpoint, { config, format });
  return uploads;
}

// Padded heads of 12 and 40, widths off the groups, and a model whose every part is whole.
const SHAPES = [
  { hidden_dim: 36, n_heads: 3, cond_dim: 10, shards: 1 },
  { hidden_dim: 80, n_heads: 2, cond_dim: 16, shards: 3 },
  { hidden_dim: 64, n_heads: 2, cond_dim: 32, shards: 1 },
] as const;

for (const { shards, ...shape } of SHAPES) {
  for (const format of ["int8", "int4", "f16"] as const) {
    for (const dtype of ["F32", "BF16"] as const) {
      const name = `${dtype} of width ${shape.hidden_dim} in ${shards} files to ${format}`;
      gpuTest(`quantize() leaves on the device what loading does: ${name}`, async (gpu) => {
        await inTempDir(async (directory) => {
          const from = writeTinyCheckpoint(join(directory, "from"), {
            config: shape,
            shards,
            dtype,
          });
          const out = join(directory, "out");
          // Several files of a few tensors each.
          await quantize(from, { out, format, shardBytes: 20_000 });
          const names = [...Deno.readDirSync(out)].map((each) => each.name);
          assert(names.filter((each) => each.endsWith(".safetensors")).length > 2, `${names}`);
          const expected = uploadsOf(gpu, from, format);
          assert(expected.length > 10);
          assertEquals(uploadsOf(gpu, out, null), expected);
        });
      });
    }
  }
}

// Heads of 16 that are padded, q, k and v in one matrix, gates between: untied and tied.
for (const fixture of ["sdar-tiny", "fastdllm-tiny"]) {
  for (const format of ["int8", "int4", "f16"] as const) {
    gpuTest(
      `quantize() leaves on the device what loading does: ${fixture} to ${format}`,
      async (gpu) => {
        await inTempDir(async (directory) => {
          const from = `${ROOT}test/fixtures/${fixture}`;
          const out = join(directory, "out");
          await quantize(from, { out, format });
          using checkpoint = Checkpoint.open(out);
          const type = checkpoint.tensors.get("model.layers.0.self_attn.o_proj.weight")?.dtype;
          assertEquals(type, format.toUpperCase());
          const expected = uploadsOf(gpu, from, format);
          assert(expected.length > 10);
          assertEquals(uploadsOf(gpu, out, null), expected);
        });
      },
    );
  }
}

gpuTest("a quantized checkpoint can be loaded in another format", async (gpu) => {
  await inTempDir(async (directory) => {
    const from = writeTinyCheckpoint(join(directory, "from"));
    const out = join(directory, "out");
    await quantize(from, { out, format: "int4" });
    using checkpoint = Checkpoint.open(out);
    const name = "backbone.blocks.1.mlp.2.weight";
    const opened = checkpoint.readRows(name, 0, 16);
    using original = Checkpoint.open(from);
    const exact = original.readRows(name, 0, 16);
    // Uniform in ±0.2: a step of a group is a fifteenth of 0.4 at most. Ends that are cut are off by
    // more than half of it.
    const farthest = Math.max(...exact.map((each, i) => Math.abs(each - opened[i]!)));
    assert(farthest > 0.003 && farthest < 0.4 / 15, `${farthest}`);
    for (const weights of ["f32", "f16", "int8"] as const) {
      assert(uploadsOf(gpu, out, weights).length > 10);
    }
  });
});

Deno.test("quantize runs with its permissions, and check reads what it wrote", async () => {
  await inTempDir(async (directory) => {
    const out = join(directory, "out");
    const args = [SHIPPED_MODEL.directory, out, "--weights", "int4"];
    const permissions = permissionsOf("quantize", { args, environment: {} });
    const outcome = await runDeno([
      ...["run", "--no-prompt", "--frozen", ...permissions, `${ROOT}main.ts`, "quantize", ...args],
    ]);
    assertEquals(outcome, { ...outcome, status: 0, stdout: `${out}\n`, stderr: "" });
    const [whole, small] = [check(SHIPPED_MODEL.directory), check(out)];
    assert(whole.ok && small.ok);
    assertEquals([small.dtype, small.parameters], ["INT4", whole.parameters]);
    assert(small.bytes < 0.45 * whole.bytes, `${small.bytes} of ${whole.bytes}`);
    const { quantization, ...config } = JSON.parse(Deno.readTextFileSync(join(out, "config.json")));
    assertEquals(quantization, { format: "int4", group: 32 });
    const source = join(SHIPPED_MODEL.directory, "config.json");
    assertEquals(config, JSON.parse(Deno.readTextFileSync(source)));
    assertEquals(Array.from(Deno.readDirSync(directory), ({ name }) => name), ["out"]);
  });
});

Deno.test("quantize() overwrites nothing, and rounds nothing twice", async () => {
  await inTempDir(async (directory) => {
    const from = writeTinyCheckpoint(join(directory, "from"));
    const out = join(directory, "out");
    Deno.mkdirSync(out);
    Deno.writeTextFileSync(join(out, "mine"), "");
    const options = { out, format: "int8" } as const;
    await assertRejects(() => quantize(from, options), RangeError, 'it has "mine"');
    Deno.removeSync(join(out, "mine"));
    // What was cut off goes.
    Deno.mkdirSync(`${out}.partial/config.json`, { recursive: true });
    await quantize(from, options);
    const again = { ...options, out: join(directory, "again") };
    await assertRejects(() => quantize(out, again), RangeError, "it is int8 already");
  });
});

Deno.test("quantize() leaves nothing behind where a weight is no number", async () => {
  await inTempDir(async (directory) => {
    const from = writeTinyCheckpoint(join(directory, "from"));
    const name = "backbone.blocks.0.attn_out.weight";
    editHeader(join(from, "model.safetensors"), (header, data) => {
      const [begin] = header[name]!.data_offsets as [number, number];
      return data.fill(0xff, begin + 8, begin + 12);
    });
    const quantizing = quantize(from, { out: join(directory, "out"), format: "int4" });
    await assertRejects(() => quantizing, RangeError, `Cannot quantize "${name}": it holds NaN`);
    assertEquals(Array.from(Deno.readDirSync(directory), ({ name }) => name), ["from"]);
  });
});

for (
  const [name, config, size] of [
    ["SDAR-1.7B-Chat-b16", {}, 16],
    ["model", { model_type: "a2d-qwen3" }, 32],
    ["model", { model_type: "Fast_dLLM_Qwen", bd_size: 8 }, 8],
  ] as const
) {
  const label = `${JSON.stringify(config)} in "${name}"`;
  Deno.test(`quantize() keeps the block size where another name would lose it: ${label}`, async () => {
    await inTempDir(async (directory) => {
      const from = join(directory, name);
      Deno.mkdirSync(from);
      writeTinyQwen(from, { config });
      const out = join(directory, "out-b2");
      await quantize(from, { out, format: "int8" });
      using checkpoint = Checkpoint.open(out);
      assertEquals(readFamilyConfig(checkpoint).blockSize, size);
    });
  });
}

Deno.test("parseQuantizeOptions() needs two directories and a format that is smaller", () => {
  const { directory, out, weights } = parseQuantizeOptions(["a", "b"]);
  assertEquals([directory, out, weights], ["a", "b", "int8"]);
  for (const args of [[], ["a"], ["a", "b", "c"], ["a", ""]]) {
    assertThrows(() => parseQuantizeOptions(args), UsageError, "expected DIR and OUT");
  }
  const error = assertThrows(
    () => parseQuantizeOptions(["a", "b", "--weights", "f32"]),
    UsageError,
  );
  assertStringIncludes(error.message, "expected one of int8, int4, f16");
});

Deno.test("what is generated from a quantized checkpoint is what --weights gives", async () => {
  await inTempDir(async (directory) => {
    const out = join(directory, "out");
    await quantize(SHIPPED_MODEL.directory, { out, format: "int4" });
    const generate = async (...flags: string[]) => {
      const args = ["generate", "Once upon a time", "--max-tokens", "24", "--seed", "3", ...flags];
      const outcome = await runDeno(["run", "-A", "--frozen", `${ROOT}main.ts`, ...args]);
      assertEquals(outcome.status, 0, outcome.stderr);
      return outcome.stdout;
    };
    const expected = await generate("--model", SHIPPED_MODEL.directory, "--weights", "int4");
    assert(expected.length > 40, expected);
    assertEquals(await generate("--model", out), expected);
  });
});
