import { assert, assertEquals, assertRejects } from "@std/assert";
import { allocateModel, estimateMemory, readFamilyConfig } from "../../src/model/mod.ts";
import { GpuError } from "../../src/gpu/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { gpuTest } from "../support/gpu.ts";
import { PUBLISHED, writePublished } from "../support/published_decoders.ts";
import { withTempDir } from "../support/temp_dir.ts";

/**
 * Numbers of the models as their authors print them (Qwen3 and Qwen2.5, their base models), of SDAR 4B
 * and 8B half of `total_size` of the hub's indexes; and how they are sampled.
 */
const EXPECTED = {
  "SDAR-1.7B": { family: "sdar", parameters: 2_031_739_904, blockSize: 4 },
  "SDAR-4B": { family: "sdar", parameters: 8_822_848_512 / 2, blockSize: 4 },
  "SDAR-8B": { family: "sdar", parameters: 16_381_470_720 / 2, blockSize: 4 },
  "Tiny-A2D-0.6B": { family: "sdar", parameters: 596_049_920, blockSize: 32 },
  "Fast_dLLM_v2_1.5B": { family: "fast_dllm", parameters: 1_543_714_304, blockSize: 32 },
  "Fast_dLLM_v2_7B": { family: "fast_dllm", parameters: 7_615_616_512, blockSize: 32 },
} as const satisfies Record<keyof typeof PUBLISHED, unknown>;

/** Opens a checkpoint of a published shape; its weights are a hole in a file. */
function openPublished(name: keyof typeof PUBLISHED, use: (checkpoint: Checkpoint) => void): void {
  withTempDir((directory) => {
    writePublished(directory, PUBLISHED[name]);
    using checkpoint = Checkpoint.open(directory);
    use(checkpoint);
  });
}

for (const [name, expected] of Object.entries(EXPECTED)) {
  Deno.test(`readFamilyConfig() reads a checkpoint of the shape of ${name}`, () => {
    openPublished(name as keyof typeof PUBLISHED, (checkpoint) => { // A key of that.
      const config = readFamilyConfig(checkpoint);
      const { modelType: family, parameters, blockSize } = config;
      assertEquals({ family, parameters, blockSize }, expected);
      assertEquals([config.modelLength, checkpoint.isHalf], [32_768, true]);
    });
  });

  Deno.test(`estimateMemory() foresees weights of ${name} of about the published size`, () => {
    openPublished(name as keyof typeof PUBLISHED, (checkpoint) => {
      const config = readFamilyConfig(checkpoint, { contextLength: 4096 });
      if (config.modelType === "bd3lm") throw new TypeError(`${name} is no decoder`);
      const { hiddenSize, vocabSize, isTied } = config;
      const weightsIn = (format: "f16" | "int8") =>
        estimateMemory(config, { format, slots: 1 }).weights;
      // Norms and biases are f32, and every matrix has a bias: a thousandth more.
      const halves = 2 * expected.parameters;
      assert(Math.abs(weightsIn("f16") / halves - 1) < 0.002, `${weightsIn("f16")} of ${halves}`);
      // Nine bits each with its scale, but an embedding of halves; a tied one is there twice.
      const table = vocabSize * hiddenSize;
      const int8 = 9 / 8 * (expected.parameters - (isTied ? 0 : table)) + 2 * table;
      assert(Math.abs(weightsIn("int8") / int8 - 1) < 0.002, `${weightsIn("int8")} of ${int8}`);
    });
  });
}

gpuTest("allocateModel() refuses what does not fit before it takes any memory", async (gpu) => {
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    writePublished(directory, PUBLISHED["SDAR-8B"]);
    using checkpoint = Checkpoint.open(directory);
    const before = gpu.bytes;
    const options = { weights: "int8", slots: 8, contextLength: 4096 } as const;
    const error = await assertRejects(
      () => allocateModel(gpu, checkpoint, { ...options, memoryBytes: 8 * 2 ** 30 }),
      GpuError,
    );
    const { total } = estimateMemory(
      readFamilyConfig(checkpoint, { contextLength: 4096 }),
      { format: "int8", slots: 8 },
    );
    const mebibytes = Math.ceil(total / 2 ** 20);
    assert(error.message.includes(`about ${mebibytes} MiB`), error.message);
    assert(error.message.endsWith("expected at most 8192 MiB"), error.message);
    assertEquals(gpu.bytes, before);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
