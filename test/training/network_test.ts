import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { loadNetwork } from "../reference/network.ts";
import { batchGradients, batchLoss } from "../reference/network_backward.ts";
import { type Fixture, fixtureFolders } from "../support/fixtures.ts";
import { assertClose, gpuTest, noise } from "../support/gpu.ts";
import { noisyBatch } from "../support/noisy_batch.ts";
import { openTraining, runGradients } from "../support/training.ts";

/** f32 sums of some hundred terms of either sign, through three layers and back. */
const TOLERANCE = 2e-5;
const STEP = 2e-6;

for (const folder of fixtureFolders()) {
  const reference = loadNetwork(folder);
  const { model_length: length, block_size: own } = reference.config;
  const sequences = length > 64 ? 1 : 2;
  const name = basename(folder);

  for (const blockSize of [own, ...(length > 64 ? [] : [1, length])]) {
    gpuTest(
      `addGradients() gives all derivatives of ${name} in blocks of ${blockSize}`,
      async (gpu) => {
        using training = openTraining(gpu, folder, { sequences });
        const batch = noisyBatch(reference.config, { sequences, seed: 3 });
        const actual = await runGradients(gpu, training, training.upload(batch, blockSize));
        const expected = batchGradients(reference, batch, blockSize);
        assertClose([actual.loss], [expected.loss], {}, "loss");
        assertEquals([...actual.gradients.keys()].sort(), [...expected.gradients.keys()].sort());
        for (const [name, gradient] of expected.gradients) {
          assertClose(actual.gradients.get(name)!, gradient, { tolerance: TOLERANCE }, name);
        }
      },
    );
  }

  if (length > 64) continue;

  gpuTest(`addGradients() equals central differences of ${name} in float64`, async (gpu) => {
    using training = openTraining(gpu, folder, { sequences });
    const batch = noisyBatch(reference.config, { sequences, seed: 5 });
    const { gradients } = await runGradients(gpu, training, training.upload(batch));
    for (const seed of [1, 2, 3]) {
      let given = 0;
      const moved = (step: number): Fixture =>
        new Map([...reference.weights].map(([name, tensor], i) => {
          if (!gradients.has(name)) return [name, tensor];
          const direction = noise(tensor.data.length, 100 * seed + i);
          const data = Float64Array.from(tensor.data, (each, j) => each + step * direction[j]!);
          return [name, { ...tensor, dtype: "F64", data }];
        }));
      [...reference.weights.keys()].forEach((name, i) => {
        const gradient = gradients.get(name);
        if (!gradient) return;
        const direction = noise(gradient.length, 100 * seed + i);
        gradient.forEach((each, j) => given += each * direction[j]!);
      });
      const at = (step: number) => batchLoss({ ...reference, weights: moved(step) }, batch);
      const measured = (at(STEP) - at(-STEP)) / (2 * STEP);
      // 150,000 terms of f32 against a slope that they nearly cancel to.
      assert(
        Math.abs(given - measured) < 1e-4 * Math.max(1, Math.abs(measured)),
        `${given} ${measured}`,
      );
    }
  });

  gpuTest(
    `addGradients() adds to the gradients of ${name}, and repeats to the bit`,
    async (gpu) => {
      using training = openTraining(gpu, folder, { sequences });
      const batch = noisyBatch(reference.config, { sequences, seed: 7 });
      const both = training.upload(batch);
      const first = await runGradients(gpu, training, both);
      const twice = await runGradients(gpu, training, both);
      for (const [name, gradient] of twice.gradients) {
        assertClose(gradient, first.gradients.get(name)!.map((each) => 2 * each), {}, name);
      }
      using again = openTraining(gpu, folder, { sequences });
      const other = await runGradients(gpu, again, again.upload(batch));
      assertEquals(other, first);
    },
  );
}

gpuTest("addLosses() gives the losses of addGradients()", async (gpu) => {
  const folder = fixtureFolders()[0]!;
  using training = openTraining(gpu, folder, { sequences: 1 });
  const batch = training.upload(noisyBatch(loadNetwork(folder).config, { sequences: 1, seed: 7 }));
  const { loss } = await runGradients(gpu, training, batch);
  using losses = gpu.tensor("losses", [batch.heads + 2]);
  const pass = gpu.pass();
  training.network.addLosses(pass, batch, { losses, lossFirst: 2 });
  pass.submit();
  const all = new Float32Array(await gpu.read(losses)).subarray(0, batch.heads + 2);
  assertEquals([all[0], all[1], all.subarray(2).reduce((sum, each) => sum + each, 0)], [
    0,
    0,
    loss,
  ]);
});
