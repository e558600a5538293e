import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { averageAt, OPTIMIZER } from "../../src/training/optimizer.ts";
import { Trainer, TrainingError } from "../../src/training/trainer.ts";
import { type Gpu, Pass } from "../../src/gpu/mod.ts";
import { disguise } from "../kernels/tables.ts";
import { adamState, adamwStep, clipScale } from "../reference/adamw.ts";
import { loadNetwork, type Network } from "../reference/network.ts";
import { batchGradients, type NoisySequence } from "../reference/network_backward.ts";
import { type Fixture, fixtureFolders } from "../support/fixtures.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";
import { noisyBatch } from "../support/noisy_batch.ts";
import { type OpenedTraining, openTraining } from "../support/training.ts";

const FOLDER = fixtureFolders().find((each) => each.endsWith("bd3lm-tiny"))!;
const SEQUENCES = 3;
const OPTIONS = {
  optimizer: { ...OPTIMIZER, weightDecay: 0.01 },
  ...{ batch: SEQUENCES, microBatch: 2, dropout: 0, seed: 1 },
};
const BLOCK_SIZE = 4;

gpuTest("Trainer.step() follows the float64 reference over ten steps", async (gpu) => {
  const reference = loadNetwork(FOLDER);
  const batches = Array.from(
    { length: 10 },
    (_, i) => noisyBatch(reference.config, { sequences: SEQUENCES, seed: 20 + i }),
  );
  const rates = batches.map((_, i) => 1e-3 * (i + 1) / 10);
  const expected = referenceTraining(reference, { batches, rates });
  using training = openTraining(gpu, FOLDER, { sequences: 2 });
  using trainer = await openTrainer(gpu, training);
  for (const [i, batch] of batches.entries()) {
    const report = await trainer.step(batch, { blockSize: BLOCK_SIZE, rate: rates[i]! });
    assertAlmostEquals(report.loss, expected.losses[i]!, 1e-3 * expected.losses[i]!);
    assertEquals(report.isSkipped, false);
  }
  for (const parameter of training.parameters.all) {
    const { weight, average } = expected.states.get(parameter.name)!;
    const moved = (values: Float32Array) => {
      const before = reference.weights.get(parameter.name)!.data;
      return Float64Array.from(values, (each, i) => each - before[i]!);
    };
    const expectedMove = (values: Float64Array) => {
      const before = reference.weights.get(parameter.name)!.data;
      return values.map((each, i) => each - before[i]!);
    };
    // Of how far weights have come, not of how large they are. AdamW divides gradients by their own
    // size: where one nearly vanishes, its rounding decides on the step.
    const { parameters } = training;
    const tolerance = { tolerance: 1e-3 };
    const name = parameter.name;
    assertMostlyClose(
      moved(await parameters.read(parameter, "weight")),
      expectedMove(weight),
      name,
    );
    assertClose(await parameters.read(parameter, "weight"), weight, tolerance, name);
    assertClose(
      await parameters.read(parameter, "averaged"),
      average,
      tolerance,
      `${name} average`,
    );
  }
});

gpuTest("Trainer.step() drives the loss of one batch to nothing", async (gpu) => {
  const { config } = loadNetwork(FOLDER);
  const batch = noisyBatch(config, { sequences: 2, seed: 9 });
  using training = openTraining(gpu, FOLDER, { sequences: 2 });
  using trainer = await openTrainer(gpu, training);
  const losses: number[] = [];
  for (let i = 0; i < 150; i++) {
    losses.push((await trainer.step(batch, { blockSize: BLOCK_SIZE, rate: 3e-3 })).loss);
  }
  assert(losses[0]! > 2, `begins with ${losses[0]}`);
  assert(losses.at(-1)! < 0.02, `ends with ${losses.at(-1)}`);
});

gpuTest("Trainer.step() gives the same bits again, dropout included", async (gpu) => {
  const { config } = loadNetwork(FOLDER);
  const runs = [];
  for (let run = 0; run < 2; run++) {
    using training = openTraining(gpu, FOLDER, { sequences: 2 });
    using trainer = await openTrainer(gpu, training, { dropout: 0.1 });
    const reports = [];
    for (let i = 0; i < 3; i++) {
      const batch = noisyBatch(config, { sequences: SEQUENCES, seed: i });
      reports.push(await trainer.step(batch, { blockSize: BLOCK_SIZE, rate: 1e-3 }));
    }
    const { parameters } = training;
    runs.push([
      reports,
      await Promise.all(parameters.all.map((each) => parameters.read(each, "weight"))),
    ]);
  }
  assertEquals(runs[0], runs[1]);
});

gpuTest("Trainer.step() takes the same steps with the kernels of a GPU", async (gpu) => {
  const { config } = loadNetwork(FOLDER);
  const disguised = disguise(gpu, { deviceClass: "gpu" });
  const other: Gpu = new Proxy(disguised, {
    get: (target, name) => name === "pass" ? () => new Pass(disguised) : Reflect.get(target, name),
  });
  const [own, others] = [[], []] as { loss: number; norm: number }[][];
  const weights: Float32Array[][] = [];
  for (const [device, reports] of [[gpu, own], [other, others]] as const) {
    using training = openTraining(gpu, FOLDER, { sequences: 2 });
    using trainer = await openTrainer(device, training);
    for (let i = 0; i < 2; i++) {
      const batch = noisyBatch(config, { sequences: SEQUENCES, seed: i });
      reports!.push(await trainer.step(batch, { blockSize: BLOCK_SIZE, rate: 1e-3 }));
    }
    const { parameters } = training;
    weights.push(
      await Promise.all(parameters.all.map((each) => parameters.read(each, "averaged"))),
    );
  }
  for (const [i, { loss, norm }] of own!.entries()) {
    assertClose([others![i]!.loss, others![i]!.norm], [loss, norm]);
  }
  // Where a gradient nearly vanishes its rounding decides on AdamW's step, which is 1e-3.
  weights[0]!.forEach((each, i) => assertClose(weights[1]![i]!, each, { tolerance: 5e-4 }));
});

gpuTest("Trainer.step() skips what is not finite, and gives up after ten in a row", async (gpu) => {
  const { config } = loadNetwork(FOLDER);
  const good = noisyBatch(config, { sequences: 1, seed: 1 });
  const bad = good.map((each) => ({ ...each, weights: each.weights.map((w) => w && NaN) }));
  using training = openTraining(gpu, FOLDER, { sequences: 2 });
  using trainer = await openTrainer(gpu, training);
  const options = { blockSize: BLOCK_SIZE, rate: 1e-3 };
  const { parameters } = training;
  const weights = () => Promise.all(parameters.all.map((each) => parameters.read(each, "weight")));
  const before = await weights();
  for (let i = 0; i < 9; i++) assertEquals((await trainer.step(bad, options)).isSkipped, true);
  assertEquals([trainer.updates, trainer.skipped], [0, 9]);
  assertEquals(await weights(), before);
  // A good one starts the count anew.
  assertEquals((await trainer.step(good, options)).isSkipped, false);
  for (let i = 0; i < 9; i++) await trainer.step(bad, options);
  assertEquals([trainer.updates, trainer.skipped], [1, 18]);
  await assertRejects(() => trainer.step(bad, options), TrainingError, "10 steps in a row");
});

function openTrainer(
  gpu: Gpu,
  { config, parameters }: OpenedTraining,
  options: { dropout?: number } = {},
): Promise<Trainer> {
  return Trainer.open(gpu, { ...OPTIONS, ...options, config, parameters });
}

function referenceTraining(
  network: Network,
  { batches, rates }: { batches: readonly NoisySequence[][]; rates: readonly number[] },
) {
  const { clip, weightDecay: decay, averaging, ...betas } = OPTIONS.optimizer;
  const states = new Map(
    [...network.weights].map(([name, { data }]) => [name, adamState(data)] as const),
  );
  const losses = batches.map((batch, i) => {
    const weights: Fixture = new Map(
      [...network.weights].map((
        [name, tensor],
      ) => [name, { ...tensor, dtype: "F64", data: states.get(name)!.weight }]),
    );
    const { loss, gradients } = batchGradients({ ...network, weights }, batch, BLOCK_SIZE);
    const scale = clipScale(gradients.values(), clip);
    const update = i + 1;
    const settings = {
      ...betas,
      rate: rates[i]!,
      decay,
      update,
      average: averageAt(update, averaging),
    };
    for (const [name, gradient] of gradients) {
      adamwStep(states.get(name)!, gradient.map((each) => each * scale), settings);
    }
    return loss;
  });
  return { states, losses };
}

/** All but one in a thousand within 1 % of the largest. */
function assertMostlyClose(actual: Float64Array, expected: Float64Array, label: string): void {
  const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const far = actual.filter((each, i) => Math.abs(each - expected[i]!) > 0.01 * largest);
  assert(far.length <= actual.length / 1000, `${label}: ${far.length} of ${actual.length} are far`);
}
