import { assert, assertEquals, assertThrows } from "@std/assert";
import { resolve } from "@std/path";
import { Scorer, scorerLimits } from "../../src/evaluation/scorer.ts";
import { type Gpu, GpuError } from "../../src/gpu/mod.ts";
import { checkMemory, estimateMemory } from "../../src/model/memory.ts";
import { allocateModel, GpuDenoiser, readFamilyConfig } from "../../src/model/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { gpuTest } from "../support/gpu.ts";
import { writeTinyQwen } from "../support/qwen_checkpoints.ts";

const MODELS = [
  { directory: "../../models/tinystories-bd3lm", format: "f16", slots: 8, rows: 256 },
  { directory: "../../models/tinystories-bd3lm", format: "int8", slots: 2, rows: 2048 },
  { directory: "../../models/tinystories-bd3lm", format: "int4", slots: 2, rows: 256 },
  { directory: "../fixtures/bd3lm-small", format: "f32", slots: 3, rows: 1 },
] as const;

for (const { directory, format, slots, rows } of MODELS) {
  gpuTest(`estimateMemory() foresees what ${directory} takes in ${format}`, async (gpu) => {
    await checkEstimate(gpu, {
      directory: resolve(import.meta.dirname!, directory),
      format,
      slots,
      rows,
    });
  });
}

// Shared heads make the cache smaller, and all heads together are wider than the hidden states.
for (const [format, isTied] of [["f16", true], ["int8", false]] as const) {
  gpuTest(`estimateMemory() foresees what a decoder takes in ${format}`, async (gpu) => {
    const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
    try {
      writeTinyQwen(directory, {
        config: {
          hidden_size: 320,
          intermediate_size: 4000,
          num_hidden_layers: 2,
          num_attention_heads: 8,
          num_key_value_heads: 2,
          head_dim: 64,
          vocab_size: 1000,
          tie_word_embeddings: isTied,
          max_position_embeddings: 2048,
        },
      });
      await checkEstimate(gpu, { directory, format, slots: 3, rows: 256 });
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

/** Loads and opens a model, and compares what it takes with what was foreseen. */
async function checkEstimate(
  gpu: Gpu,
  { directory, format, slots, rows }: {
    readonly directory: string;
    readonly format: WeightFormat;
    readonly slots: number;
    readonly rows: number;
  },
): Promise<void> {
  using checkpoint = Checkpoint.open(directory);
  const config = readFamilyConfig(checkpoint);
  const { pages: scorePages } = scorerLimits({ config }, { rows });
  const estimate = estimateMemory(config, { format, slots, scorePages });
  const before = gpu.bytes;
  {
    const loading = { weights: format, slots, scorePages, memoryBytes: null };
    const { network, fill } = await allocateModel(gpu, checkpoint, loading);
    using _ = network;
    await fill();
    using _denoiser = await GpuDenoiser.open(gpu, network, { slots });
    using _scorer = await Scorer.open(gpu, network, { rows });
    const weights = gpu.bytes.weights - before.weights;
    // Rotary tables are left out of the estimate: they do not grow with the model.
    assert(Math.abs(estimate.weights - weights) < 0.2 * weights + 2 ** 20, `${weights} bytes`);
    assert(Math.abs(estimate.cache - (gpu.bytes.cache - before.cache)) < 0.05 * estimate.cache);
  }
  assertEquals(gpu.bytes.weights, before.weights);
  assertEquals(gpu.bytes.cache, before.cache);
  assertEquals(gpu.bytes.state, before.state);
}

Deno.test("checkMemory() refuses with both numbers", () => {
  const estimate = { weights: 3 << 20, cache: 2 << 20, scratch: 1 << 20, total: 6 << 20 };
  const error = assertThrows(() => checkMemory(estimate, 5 << 20), GpuError);
  assert(/6 MiB.*at most 5 MiB/.test(error.message), error.message);
  checkMemory(estimate, 6 << 20);
  checkMemory(estimate, null);
});
