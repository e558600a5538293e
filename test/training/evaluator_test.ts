import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { TIMES } from "../../src/diffusion/noise.ts";
import { drawCopy } from "../../src/evaluation/noisy_copy.ts";
import { Evaluator } from "../../src/training/evaluator.ts";
import { loadNetwork } from "../reference/network.ts";
import { batchLoss } from "../reference/network_backward.ts";
import { fixtureFolders } from "../support/fixtures.ts";
import { gpuTest, noise } from "../support/gpu.ts";
import { openTraining } from "../support/training.ts";

const FOLDER = fixtureFolders().find((each) => each.endsWith("bd3lm-tiny"))!;

gpuTest("Evaluator.nelbo() is the reference's mean over the windows", async (gpu) => {
  const reference = loadNetwork(FOLDER);
  const { model_length: length, vocab_size: vocabulary } = reference.config;
  const windows = [1, 2, 3].map((seed) =>
    Uint32Array.from(noise(length, seed), (each) => Math.floor((each + 1) / 2 * (vocabulary - 1)))
  );
  using training = openTraining(gpu, FOLDER, { sequences: 1 });
  const { config, parameters } = training;
  using evaluator = await Evaluator.open(gpu, { config, parameters, sequences: 2, seed: 5 });
  for (const blockSize of [1, 4]) {
    const losses = windows.map((window, draw) => {
      const text = { x0: [...window], given: 1, blockSize };
      const how = { maskToken: vocabulary - 1, seed: 5, draw };
      const copy = drawCopy(text, { estimator: { type: "counts" }, ...how });
      const sequence = { ...copy, x0: text.x0, weights: [...copy.weights] };
      return batchLoss(reference, [sequence], blockSize);
    });
    const expected = losses.reduce((sum, each) => sum + each, 0) / (3 * (length - 1));
    assertAlmostEquals(await evaluator.nelbo(windows, blockSize), expected, 1e-5);
  }
});

gpuTest("Evaluator.blockLosses() gives every block with a time from all over", async (gpu) => {
  using training = openTraining(gpu, FOLDER, { sequences: 1 });
  const { config, parameters } = training;
  using evaluator = await Evaluator.open(gpu, { config, parameters, sequences: 2, seed: 5 });
  const windows = [1, 2, 3].map(() => new Uint32Array(config.modelLength).fill(7));
  const blocks = await evaluator.blockLosses(windows, { blockSize: 4, step: 2 });
  assertEquals(blocks.length, 3 * config.modelLength / 4);
  const times = blocks.map(({ time }) => time).toSorted((a, b) => a - b);
  assert(times.every((time) => time >= TIMES[0] && time <= TIMES[1]));
  assert(times[0]! < 0.1 && times.at(-1)! > 0.9);
  // More masks, more loss.
  const mean = (part: typeof blocks) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
  assert(
    mean(blocks.filter(({ time }) => time > 0.7)) > mean(blocks.filter(({ time }) => time < 0.3)),
  );
});
