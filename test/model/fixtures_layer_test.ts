import { basename, join } from "@std/path";
import { assert, assertEquals } from "@std/assert";
import { attention, layerNorm, linear, rotaryTables } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { align } from "../../src/weights/formats.ts";
import { unpair } from "../kernels/host_cache.ts";
import {
  type Fixture,
  fixtureFolders,
  floatsOf,
  hasFile,
  integersOf,
  readFixture,
} from "../support/fixtures.ts";
import {
  ForwardHarness,
  type LayerState,
  loadNetwork,
  type Rows,
  unpad,
} from "../support/forward.ts";
import { assertClose, gpuTest, readFloats } from "../support/gpu.ts";
import { readCache, StepReader } from "../support/layer_steps.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };
/** As in `src/model/bd3lm.ts`: neither stands in config.json. */
const EPSILON = 1e-5;
const ROPE_BASE = 10_000;

/** Widths of one network, each with its padding behind it. */
function widthsOf({ config, cacheShape }: Bd3lm) {
  const { hiddenSize, headSize } = config;
  return {
    hidden: [hiddenSize, align(hiddenSize)],
    inner: [4 * hiddenSize, align(4 * hiddenSize)],
    head: [headSize, cacheShape.headWidth],
  } as const;
}

/** [rows, 3, heads, head size] with the components of q and k in their natural order. */
function unpairProjections(values: Float32Array, { config }: Bd3lm): Float32Array {
  const { hiddenSize, headSize } = config;
  const natural = unpair(values, headSize);
  return values.map((value, i) => i % (3 * hiddenSize) < 2 * hiddenSize ? natural[i]! : value);
}

/** The pieces of attention in one layer, by the recorded names; `x` holds its result afterwards. */
async function attentionSteps(
  gpu: Gpu,
  network: Bd3lm,
  { index, x, inputs, modulation }: LayerState,
): Promise<Map<string, Float32Array>> {
  const { rows, counts } = inputs;
  const { hidden, head } = widthsOf(network);
  const [features, width] = hidden;
  const { norm1: gain, qkv, attentionOut } = network.weights.layers[index]!;
  const ofLayer = modulation.layers[index]!;
  const reader = new StepReader(gpu);
  const norm = { x, rows, counts, gain, shift: 0, scale: width, features, epsilon: EPSILON };
  using zero = gpu.tensor("zero", [1, 2 * width]);
  using _ = await reader.run(
    "norm1",
    hidden,
    (pass) => layerNorm(pass, { ...norm, modulation: zero }),
  );
  using h = await reader.run(
    "norm1_modulated",
    hidden,
    (pass) => layerNorm(pass, { ...norm, modulation: ofLayer }),
  );
  using _projected = await reader.run(
    "qkv",
    head,
    (pass) => linear(pass, { x: h, weight: qkv, counts }),
  );
  const { headSize } = network.config;
  using rotary = rotaryTables(gpu, { headSize, base: ROPE_BASE });
  const cache = inputs.cache[index]!;
  const store = { type: "rope_store", rows, cache, rotary } as const;
  using q = await reader.run(
    "q_rotated",
    head,
    (pass) => linear(pass, { x: h, weight: qkv, counts, epilogue: store }),
  );
  using a = await reader.run(
    "attention",
    head,
    (pass) => attention(pass, { q, rows, counts, cache, headSize }),
  );
  using __ = await reader.run(
    "attn_out",
    hidden,
    (pass) => linear(pass, { x: a, weight: attentionOut, counts }),
  );
  const epilogue = { type: "gated", into: x, rows, modulation: ofLayer, gate: 2 * width } as const;
  await reader.run(
    "after_attention",
    hidden,
    (pass) => linear(pass, { x: a, weight: attentionOut, counts, epilogue }),
  );
  const { values } = reader;
  values.set("qkv", unpairProjections(values.get("qkv")!, network));
  values.set("q_rotated", unpair(values.get("q_rotated")!, headSize));
  return values;
}

/** The pieces of the MLP in one layer, by the recorded names; `x` holds its result afterwards. */
async function mlpSteps(
  gpu: Gpu,
  network: Bd3lm,
  { index, x, inputs, modulation }: LayerState,
): Promise<Map<string, Float32Array>> {
  const { rows, counts } = inputs;
  const { hidden, inner } = widthsOf(network);
  const [features, width] = hidden;
  const { norm2: gain, up, down } = network.weights.layers[index]!;
  const ofLayer = modulation.layers[index]!;
  const reader = new StepReader(gpu);
  using h = await reader.run("norm2_modulated", hidden, (pass) =>
    layerNorm(pass, {
      ...{ x, rows, counts, gain, modulation: ofLayer, shift: 3 * width, scale: 4 * width },
      ...{ features, epsilon: EPSILON },
    }));
  using _ = await reader.run(
    "mlp_pre_gelu",
    inner,
    (pass) => linear(pass, { x: h, weight: up, counts }),
  );
  using wide = await reader.run(
    "mlp_gelu",
    inner,
    (pass) => linear(pass, { x: h, weight: up, counts, epilogue: "gelu" }),
  );
  using __ = await reader.run(
    "mlp_out",
    hidden,
    (pass) => linear(pass, { x: wide, weight: down, counts }),
  );
  const epilogue = { type: "gated", into: x, rows, modulation: ofLayer, gate: 5 * width } as const;
  await reader.run(
    "output",
    hidden,
    (pass) => linear(pass, { x: wide, weight: down, counts, epilogue }),
  );
  return reader.values;
}

function cleanRows(network: Bd3lm, tokens: readonly number[], sigma: number): Rows {
  const { blockSize, modelLength: window } = network.config;
  return { tokens, position: 0, blockSize, window, sigma };
}

/** Everything inside layer 0 for a clean sequence, by the recorded names. */
async function stepsOfLayer0(
  gpu: Gpu,
  network: Bd3lm,
  { tokens, sigma }: { tokens: readonly number[]; sigma: number },
): Promise<Map<string, Float32Array>> {
  using harness = new ForwardHarness(gpu, network, { positions: tokens.length });
  const groups = [cleanRows(network, tokens, sigma)];
  const { headSize } = network.config;
  for await (const state of harness.layers(groups)) {
    const [width, stride] = widthsOf(network).hidden;
    const input = (await readFloats(gpu, state.x)).subarray(0, state.x.length);
    const values = new Map([["input", unpad(input, stride, width)]]);
    for (const [name, each] of await attentionSteps(gpu, network, state)) values.set(name, each);
    const cache = state.inputs.cache[0]!;
    const read = (store: "k" | "v") => readCache(gpu, { cache, store, headSize }, tokens.length);
    values.set("k_rotated", await read("k")).set("v", await read("v"));
    for (const [name, each] of await mlpSteps(gpu, network, state)) values.set(name, each);
    return values;
  }
  throw new RangeError("Cannot run layer 0: the network has no layers");
}

/** q, k and v before the rotation in every layer, for a clean sequence. */
async function projections(
  gpu: Gpu,
  network: Bd3lm,
  { tokens, sigma }: { tokens: readonly number[]; sigma: number },
): Promise<number[]> {
  using harness = new ForwardHarness(gpu, network, { positions: tokens.length });
  const { hidden: [features, width], head } = widthsOf(network);
  const all: number[] = [];
  for await (const state of harness.layers([cleanRows(network, tokens, sigma)])) {
    if (state.index === network.config.layers) break;
    const { x, inputs: { rows, counts } } = state;
    const { norm1: gain, qkv: weight } = network.weights.layers[state.index]!;
    const modulation = state.modulation.layers[state.index]!;
    const reader = new StepReader(gpu);
    using _ = await reader.run("qkv", head, (pass) => {
      const norm = { gain, modulation, shift: 0, scale: width, features, epsilon: EPSILON };
      using h = layerNorm(pass, { x, rows, counts, ...norm });
      return linear(pass, { x: h, weight, counts });
    });
    all.push(...unpairProjections(reader.values.get("qkv")!, network));
  }
  return all;
}

async function checkFrequencies(gpu: Gpu, network: Bd3lm, layer0: Fixture): Promise<void> {
  const { headSize } = network.config;
  using rotary = rotaryTables(gpu, { headSize, base: ROPE_BASE });
  const near = await readFloats(gpu, rotary.near);
  const stride = 2 * rotary.near.shape[1]!;
  // Position 1 turns each pair by its frequency, none of which exceeds 1.
  const turns = near.subarray(stride, 2 * stride);
  const found = Array.from(
    { length: headSize / 2 },
    (_, pair) => Math.atan2(turns[2 * pair + 1]!, turns[2 * pair]!),
  );
  assertClose(found, floatsOf(layer0, "inv_freq"), RECORDED, "inv_freq");
}

for (const folder of fixtureFolders()) {
  const name = basename(folder);
  const sigma = floatsOf(readFixture(join(folder, "train.safetensors")), "sigma")[0]!;
  const sample = readFixture(join(folder, "sample.safetensors"));

  if (hasFile(join(folder, "layer0.safetensors"))) {
    const layer0 = readFixture(join(folder, "layer0.safetensors"));
    const tokens = integersOf(layer0, "tokens");

    gpuTest(`layer 0 of ${name} has the recorded value at every step`, async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      const steps = await stepsOfLayer0(gpu, network, { tokens, sigma });
      const others = ["tokens", "logits", "inv_freq"];
      const recorded = [...layer0.keys()].filter((each) => !others.includes(each));
      assertEquals([...steps.keys()].toSorted(), recorded.toSorted());
      for (const each of recorded) {
        assertClose(steps.get(each)!, floatsOf(layer0, each), RECORDED, each);
      }
      await checkFrequencies(gpu, network, layer0);
    });

    gpuTest(`a clean sequence has the recorded logits of ${name}`, async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      using harness = new ForwardHarness(gpu, network, { positions: tokens.length });
      const logits = await harness.logits([cleanRows(network, tokens, sigma)]);
      assertClose(logits, floatsOf(layer0, "logits"), RECORDED);
    });
  }

  if (sample.has("qkv_clean")) {
    gpuTest(`every layer of ${name} has the recorded projections`, async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      const tokens = integersOf(sample, "x0");
      const found = await projections(gpu, network, { tokens, sigma });
      assert(found.length > 0);
      assertClose(found, floatsOf(sample, "qkv_clean"), RECORDED);
    });
  }
}
