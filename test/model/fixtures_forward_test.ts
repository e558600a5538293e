import { basename, join } from "@std/path";
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { Conditioner, type Modulation } from "../../src/model/bd3lm_conditioning.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { align, type WeightFormat } from "../../src/weights/formats.ts";
import { subsLogProbabilities } from "../reference/forward.ts";
import {
  type Fixture,
  fixtureFolders,
  floatsOf,
  hasFile,
  integersOf,
  readFixture,
  tensorOf,
} from "../support/fixtures.ts";
import {
  blockPasses,
  ForwardHarness,
  loadNetwork,
  type PlacedRows,
  placeRows,
  unpad,
} from "../support/forward.ts";
import { assertClose, gpuTest, readFloats, upload } from "../support/gpu.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };

/** What train.safetensors records, entry by entry of its batch. */
interface Batch {
  readonly x0: readonly (readonly number[])[];
  readonly xt: readonly (readonly number[])[];
  readonly sigma: ArrayLike<number>;
  /** Tokens of an entry. */
  readonly length: number;
}

function readBatch(train: Fixture): Batch {
  const [entries, length] = tensorOf(train, "x0").shape as [number, number];
  const split = (name: string) => {
    const all = integersOf(train, name);
    return Array.from({ length: entries }, (_, i) => all.slice(i * length, (i + 1) * length));
  };
  return { x0: split("x0"), xt: split("xt"), sigma: floatsOf(train, "sigma"), length };
}

/** The passes of all entries, which share them: each entry in a slot and at a noise level. */
function trainingPasses({ x0, xt, sigma, length }: Batch, { config }: Bd3lm): PlacedRows[][] {
  const { blockSize, modelLength: window } = config;
  const ofEntries = x0.map((clean, slot) =>
    blockPasses({ x0: clean, xt: xt[slot]! }, {
      blockSize,
      window,
      slot,
      sigma: sigma[slot]!,
      place: slot * 2 * length,
    })
  );
  return ofEntries[0]!.map((_, i) => ofEntries.flatMap((passes) => passes[i]!));
}

function openHarness(gpu: Gpu, network: Bd3lm, slots: number): ForwardHarness {
  const { modelLength, blockSize } = network.config;
  return new ForwardHarness(gpu, network, { slots, positions: modelLength + blockSize });
}

/** Logits of the noisy half of every entry: [entries, length, vocabulary]. */
async function trainingLogits(gpu: Gpu, network: Bd3lm, batch: Batch): Promise<Float32Array> {
  const { vocabSize: width } = network.config;
  const entries = batch.x0.length;
  using harness = openHarness(gpu, network, entries);
  const all = new Float32Array(entries * 2 * batch.length * width);
  for (const groups of trainingPasses(batch, network)) {
    placeRows(all, groups, { values: await harness.logits(groups), width });
  }
  return unpad(all, 2 * batch.length * width, batch.length * width);
}

/** The same in one pass, as the original computes it. */
async function onePassLogits(gpu: Gpu, network: Bd3lm, batch: Batch): Promise<Float32Array> {
  const { blockSize, modelLength: window, vocabSize: width } = network.config;
  const entries = batch.x0.length;
  using harness = new ForwardHarness(gpu, network, {
    slots: 2 * entries,
    positions: batch.length,
  });
  const groups = batch.x0.flatMap((x0, entry) => {
    const shared = { position: 0, blockSize, window, sigma: batch.sigma[entry]! };
    const [noisy, clean] = [2 * entry, 2 * entry + 1];
    return [
      { ...shared, tokens: batch.xt[entry]!, slot: noisy, pastSlot: clean },
      { ...shared, tokens: x0, slot: clean },
    ];
  });
  const all = await harness.logits(groups);
  return unpad(all, 2 * batch.length * width, batch.length * width);
}

/** The entries that a tensor records; some hold the first one only. */
function recordedEntries(train: Fixture, name: string, entries: number): number {
  const recorded = tensorOf(train, name).shape[0]!;
  assert(recorded === entries || recorded === 1, `"${name}" records ${recorded} entries`);
  return recorded;
}

async function checkHidden(
  gpu: Gpu,
  network: Bd3lm,
  { train, batch }: { train: Fixture; batch: Batch },
): Promise<void> {
  const { layers, hiddenSize: width } = network.config;
  const entries = batch.x0.length;
  using harness = openHarness(gpu, network, entries);
  const size = 2 * batch.length * width;
  const all = Array.from({ length: layers + 1 }, () => new Float32Array(entries * size));
  for (const groups of trainingPasses(batch, network)) {
    const states = await harness.hidden(groups);
    states.forEach((values, depth) => placeRows(all[depth]!, groups, { values, width }));
  }
  for (const [depth, values] of all.entries()) {
    const name = `hidden.${depth}`;
    const recorded = recordedEntries(train, name, entries);
    assertClose(values.subarray(0, recorded * size), floatsOf(train, name), RECORDED, name);
  }
}

/** Shift, scale and gate vectors as they are recorded: [levels, layers, 6 hidden size]. */
async function modulationVectors(
  gpu: Gpu,
  { layers, final }: Modulation,
  hiddenSize: number,
): Promise<{ layers: number[]; final: Float32Array }> {
  const read = async (tensor: typeof final) => {
    const values = (await readFloats(gpu, tensor)).subarray(0, tensor.length);
    return unpad(values, align(hiddenSize), hiddenSize);
  };
  const ofLayers: Float32Array[] = [];
  for (const each of layers) ofLayers.push(await read(each));
  const levels = final.shape[0]!;
  const ordered = Array.from({ length: levels }, (_, level) =>
    ofLayers.flatMap((values) => [
      ...values.subarray(level * 6 * hiddenSize, (level + 1) * 6 * hiddenSize),
    ]));
  return { layers: ordered.flat(), final: await read(final) };
}

async function checkModulation(
  gpu: Gpu,
  network: Bd3lm,
  { train, sigma }: { train: Fixture; sigma: ArrayLike<number> },
): Promise<void> {
  const { hiddenSize } = network.config;
  const pass = gpu.pass();
  using levels = upload(gpu, [sigma.length], sigma);
  using modulation = network.weights.conditioning.modulate(pass, {
    sigma: levels,
    conditions: sigma.length,
  });
  pass.submit();
  const found = await modulationVectors(gpu, modulation, hiddenSize);
  // A constant one serves all entries.
  const times = sigma.length / modulation.final.shape[0]!;
  const repeat = (values: ArrayLike<number>) =>
    Array.from({ length: times }, () => [...Array.from(values)]).flat();
  assertClose(repeat(found.layers), floatsOf(train, "modulation"), RECORDED, "modulation");
  const final = floatsOf(train, "final_modulation");
  assertClose(repeat(found.final), final, RECORDED, "final_modulation");
}

/** The vector c, which a network with a constant conditioning does not keep. */
async function checkCondition(gpu: Gpu, folder: string, train: Fixture): Promise<void> {
  using network = loadNetwork(gpu, folder, { format: "f32", takesSigma: true });
  const { conditioning } = network.weights;
  assert(conditioning instanceof Conditioner);
  const sigma = floatsOf(train, "sigma");
  using levels = upload(gpu, [sigma.length], sigma);
  const pass = gpu.pass();
  using c = conditioning.condition(pass, { sigma: levels, conditions: sigma.length });
  pass.submit();
  const values = (await readFloats(gpu, c)).subarray(0, c.length);
  const { condSize } = network.config;
  assertClose(unpad(values, c.shape[1]!, condSize), floatsOf(train, "cond"), RECORDED, "cond");
  await checkModulation(gpu, network, { train, sigma });
}

function checkLogProbabilities(logits: Float32Array, train: Fixture, batch: Batch): void {
  const [, , vocabulary] = tensorOf(train, "logits").shape as [number, number, number];
  const logP = subsLogProbabilities(logits, batch.xt.flat(), { mask: vocabulary - 1 });
  const recorded = floatsOf(train, "log_p_subs");
  // Impossible entries hold about -1e6 and would drown the others.
  const isPossible = (value: number) => value > -1e5;
  assertEquals([...logP].map(isPossible), [...recorded].map(isPossible));
  const label = "log_p_subs";
  assertClose(logP.filter(isPossible), recorded.filter(isPossible), RECORDED, label);
}

/** The checkpoint of `folder` with the tensors of another file. */
function loadHalf(gpu: Gpu, folder: string, options: { file: string; format: WeightFormat }) {
  return withTempDir((directory) => {
    Deno.copyFileSync(join(folder, "config.json"), join(directory, "config.json"));
    Deno.copyFileSync(join(folder, options.file), join(directory, "model.safetensors"));
    // The recordings keep keys and values whole.
    return loadNetwork(gpu, directory, { ...options, cacheFormat: "f32" });
  });
}

for (const folder of fixtureFolders()) {
  const name = basename(folder);
  const train = readFixture(join(folder, "train.safetensors"));
  const batch = readBatch(train);

  gpuTest(`the training pass of ${name} has the recorded logits`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32" });
    const logits = await trainingLogits(gpu, network, batch);
    assertClose(logits, floatsOf(train, "logits"), RECORDED);
    // To the bit what the passes of the sampler give, where blocks are whole chunks of keys.
    assertEquals(await onePassLogits(gpu, network, batch), logits);
    if (train.has("log_p_subs")) checkLogProbabilities(logits, train, batch);
  });

  gpuTest(`the training pass of ${name} has the recorded hidden states`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32" });
    await checkHidden(gpu, network, { train, batch });
  });

  gpuTest(`the conditioning of ${name} has the recorded vectors`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32" });
    if (!network.config.adaln) {
      assert(!train.has("cond"), "a model without adaptive norms has no conditioning");
      return;
    }
    await checkModulation(gpu, network, { train, sigma: batch.sigma });
    await checkCondition(gpu, folder, train);
  });

  // Weights of these sizes are as exact in one format as in the other.
  for (const [half, formats] of [["f16", ["f16", "f32"]], ["bf16", ["f32", "f16"]]] as const) {
    const file = `model.${half}.safetensors`;
    if (!hasFile(join(folder, file))) continue;
    for (const format of formats) {
      gpuTest(
        `the ${half} weights of ${name} stored as ${format} give their logits`,
        async (gpu) => {
          using network = loadHalf(gpu, folder, { file, format });
          const { x0, xt, sigma, length } = batch;
          const first = { x0: x0.slice(0, 1), xt: xt.slice(0, 1), sigma, length };
          const expected = floatsOf(train, `logits_${half}_weights`);
          assertClose(await trainingLogits(gpu, network, first), expected, RECORDED);
          assertClose(await onePassLogits(gpu, network, first), expected, RECORDED);
        },
      );
    }
  }
}
