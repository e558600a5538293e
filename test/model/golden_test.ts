import { assert, assertEquals } from "@std/assert";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { readGolden } from "../reference/golden.ts";
import { ForwardHarness, loadNetwork } from "../support/forward.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";
import { ORIGINAL_MODEL } from "../support/original_model.ts";

function logSoftmax(logits: Float32Array, mask: number): Float64Array {
  const values = Float64Array.from(logits, (value, id) => id === mask ? -Infinity : value);
  const highest = Math.max(...values);
  const sum = values.reduce((total, value) => total + Math.exp(value - highest), 0);
  return values.map((value) => value - highest - Math.log(sum));
}

/** Weights, keys and values, and how far log-probabilities may be off. */
const STORAGE = [
  // The file's own tolerance.
  ["f32", "f32", 1e-3],
  ["f16", "f32", 1e-3],
  // The file lets halves be off by more: measured 1.6e-3.
  ["f16", "f16", 3e-3],
  // Weights are off by 1/254 of the largest of their block: measured 7.7e-2.
  ["int8", "f16", 0.15],
] as const;

// PyTorch computed the log-probabilities of the original, test/reference those of what ships.
const CASES = [ORIGINAL_MODEL, SHIPPED_MODEL].flatMap((model) =>
  STORAGE.map((storage) => [model, ...storage] as const)
);

for (const [{ id, directory }, format, cacheFormat, tolerance] of CASES) {
  const name = `${format} and a cache of ${cacheFormat}`;
  gpuTest(`${id} gives its golden log-probabilities with ${name}`, async (gpu) => {
    using network = loadNetwork(gpu, directory, { format, cacheFormat });
    const { vocabSize, maskToken, modelLength: window } = network.config;
    using harness = new ForwardHarness(gpu, network, { positions: window });
    const { cases } = readGolden(directory);
    assertEquals(cases.length, 4);
    for (const { block_size: blockSize, input_ids: tokens, positions } of cases) {
      const logits = await harness.logits([{ tokens, position: 0, blockSize, window }]);
      for (const { position, top5_ids, top5_logprobs, ...moments } of positions) {
        const row = logits.subarray(position * vocabSize, (position + 1) * vocabSize);
        const logProbabilities = logSoftmax(row, maskToken);
        const found = top5_ids.map((id) => logProbabilities[id]!);
        const isNear = found.every((value, i) => Math.abs(value - top5_logprobs[i]!) < tolerance);
        assert(isNear, `${found}`);
        // Of two that are as likely within the tolerance, either may come first.
        const first = top5_ids.filter((_, i) =>
          top5_logprobs[0]! - top5_logprobs[i]! < 2 * tolerance
        );
        assert(first.includes(logProbabilities.indexOf(Math.max(...logProbabilities))));
        const mean = row.reduce((sum, value) => sum + value, 0) / vocabSize;
        const squares = row.reduce((sum, value) => sum + (value - mean) ** 2, 0);
        // The sample's deviation, as torch computes it; recorded with five decimals.
        const expected = [moments.logit_mean, moments.logit_std];
        assertClose([mean, Math.sqrt(squares / (vocabSize - 1))], expected, {
          tolerance: tolerance / 10,
        });
      }
    }
  });
}
