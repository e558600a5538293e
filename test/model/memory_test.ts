import { assert, assertEquals, assertThrows } from "@std/assert";
import { resolve } from "@std/path";
import { Scorer, scorerLimits } from "../../src/evaluation/scorer.ts";
import { GpuError } from "../../src/gpu/mod.ts";
import { checkMemory, estimateMemory } from "../../src/model/memory.ts";
import { GpuDenoiser } from "../../src/model/mod.ts";
import { loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";

const MODELS = [
  { directory: "../../models/tinystories-bd3lm", format: "f16", slots: 8, rows: 256 },
  { directory: "../../models/tinystories-bd3lm", format: "int8", slots: 2, rows: 2048 },
  { directory: "../../models/tinystories-bd3lm", format: "int4", slots: 2, rows: 256 },
  { directory: "../fixtures/bd3lm-small", format: "f32", slots: 3, rows: 1 },
] as const;

for (const { directory, format, slots, rows } of MODELS) {
  gpuTest(`estimateMemory() foresees what ${directory} takes in ${format}`, async (gpu) => {
    const before = gpu.bytes;
    {
      using network = loadNetwork(gpu, resolve(import.meta.dirname!, directory), { format });
      using _denoiser = await GpuDenoiser.open(gpu, network, { slots });
      using _scorer = await Scorer.open(gpu, network, { rows });
      const { pages: scorePages } = scorerLimits(network, { rows });
      const estimate = estimateMemory(network.config, { format, slots, scorePages });
      const weights = gpu.bytes.weights - before.weights;
      // Rotary tables are left out of the estimate: they do not grow with the model.
      assert(Math.abs(estimate.weights - weights) < 0.2 * weights + 2 ** 20, `${weights} bytes`);
      assert(Math.abs(estimate.cache - (gpu.bytes.cache - before.cache)) < 0.05 * estimate.cache);
    }
    assertEquals(gpu.bytes.weights, before.weights);
    assertEquals(gpu.bytes.cache, before.cache);
    assertEquals(gpu.bytes.state, before.state);
  });
}

Deno.test("checkMemory() refuses with both numbers", () => {
  const estimate = { weights: 3 << 20, cache: 2 << 20, scratch: 1 << 20, total: 6 << 20 };
  const error = assertThrows(() => checkMemory(estimate, 5 << 20), GpuError);
  assert(/6 MiB.*at most 5 MiB/.test(error.message), error.message);
  checkMemory(estimate, 6 << 20);
  checkMemory(estimate, null);
});
