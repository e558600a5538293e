import { assert, assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import { attention, linear, qkNorm, rmsNorm, rotaryTables } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { QwenDecoder } from "../../src/model/qwen_decoder.ts";
import { align } from "../../src/weights/formats.ts";
import { unpair } from "../kernels/host_cache.ts";
import {
  fixtureFolders,
  floatsOf,
  integersOf,
  readFixture,
  readJson,
} from "../support/fixtures.ts";
import { ForwardHarness } from "../support/forward.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";
import { readCache, StepReader } from "../support/layer_steps.ts";
import { decoderLayers, type DecoderState, loadQwenNetwork } from "../support/qwen.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };

/** Values by their recorded names. */
type Steps = Map<string, Float32Array>;

/** Widths of one network, each with its padding behind it. */
function widthsOf({ config, cacheShape }: QwenDecoder) {
  const { hiddenSize, innerSize, headSize } = config;
  return {
    hidden: [hiddenSize, align(hiddenSize)],
    inner: [innerSize, align(innerSize)],
    head: [headSize, cacheShape.headWidth],
  } as const;
}

/** Of every `of` neighbouring parts of `size` values, `count` from part `first` on. */
function takeParts(
  values: Float32Array,
  { size, of, first, count }: { size: number; of: number; first: number; count: number },
): Float32Array {
  return values.filter((_, at) => {
    const part = Math.floor(at / size) % of;
    return part >= first && part < first + count;
  });
}

/** q, k and v of all rows apart, each with its components in their natural order. */
function splitHeads(values: Float32Array, { config }: QwenDecoder): Steps {
  const { heads, sharedHeads, headSize: size } = config;
  const of = heads + 2 * sharedHeads;
  const take = (first: number, count: number) => takeParts(values, { size, of, first, count });
  return new Map([
    ["q", unpair(take(0, heads), size)],
    ["k", unpair(take(heads, sharedHeads), size)],
    ["v", take(heads + sharedHeads, sharedHeads)],
  ]);
}

/** The pieces of attention in one layer; `x` holds its result afterwards. */
async function attentionSteps(
  gpu: Gpu,
  network: QwenDecoder,
  { index, x, inputs }: DecoderState,
): Promise<Steps> {
  const { rows, counts } = inputs;
  const { headSize, epsilon, hiddenSize: features, ropeBase: base } = network.config;
  const { hidden, head } = widthsOf(network);
  const layer = network.weights.layers[index]!;
  const cache = inputs.cache[index]!;
  const reader = new StepReader(gpu);
  using h = await reader.run(
    "input_norm",
    hidden,
    (pass) => rmsNorm(pass, { x, counts, gain: layer.inputNorm, features, epsilon }),
  );
  using projected = await reader.run(
    "qkv",
    head,
    (pass) => linear(pass, { x: h, weight: layer.qkv, counts }),
  );
  using rotary = rotaryTables(gpu, { headSize, base });
  const store = { rows, cache, rotary };
  const gain = layer.qkNorm;
  if (gain) {
    // At position 0 nothing turns: what the norm alone gives.
    using still = gpu.tensor("still", rows.shape, { dtype: "u32" });
    const atZero = { ...store, rows: still, x: projected, counts, gain, headSize, epsilon };
    using _ = await reader.run("q_normed", head, (pass) => qkNorm(pass, atZero));
  }
  using q = await reader.run(
    "q_rotated",
    head,
    (pass) =>
      gain
        ? qkNorm(pass, { ...store, x: projected, counts, gain, headSize, epsilon })
        : linear(pass, {
          x: h,
          weight: layer.qkv,
          counts,
          epilogue: { type: "rope_store", ...store },
        }),
  );
  using a = await reader.run(
    "attention",
    head,
    (pass) => attention(pass, { q, rows, counts, cache, headSize }),
  );
  using _out = await reader.run(
    "attn_out",
    hidden,
    (pass) => linear(pass, { x: a, weight: layer.attentionOut, counts }),
  );
  const epilogue = { type: "residual", into: x, rows } as const;
  await reader.run(
    "after_attention",
    hidden,
    (pass) => linear(pass, { x: a, weight: layer.attentionOut, counts, epilogue }),
  );
  for (const name of ["q_normed", "q_rotated"]) {
    const values = reader.values.get(name);
    if (values) reader.values.set(name, unpair(values, headSize));
  }
  for (const [name, each] of splitHeads(reader.values.get("qkv")!, network)) {
    reader.values.set(name, each);
  }
  reader.values.delete("qkv");
  return reader.values;
}

/** The pieces of the perceptron in one layer, after its attention. */
async function perceptronSteps(
  gpu: Gpu,
  network: QwenDecoder,
  { index, x, inputs: { counts } }: DecoderState,
): Promise<Steps> {
  const { hiddenSize: features, innerSize, epsilon } = network.config;
  const { hidden, inner } = widthsOf(network);
  const { postNorm, gateUp, down } = network.weights.layers[index]!;
  const reader = new StepReader(gpu);
  using h = await reader.run(
    "post_norm",
    hidden,
    (pass) => rmsNorm(pass, { x, counts, gain: postNorm, features, epsilon }),
  );
  using _ = await reader.run(
    "gate_up",
    [2 * inner[0], 2 * inner[1]],
    (pass) => linear(pass, { x: h, weight: gateUp, counts }),
  );
  using act = await reader.run(
    "mlp_act",
    inner,
    (pass) => linear(pass, { x: h, weight: gateUp, counts, epilogue: "swiglu" }),
  );
  using _out = await reader.run(
    "mlp_out",
    hidden,
    (pass) => linear(pass, { x: act, weight: down, counts }),
  );
  const both = reader.values.get("gate_up")!;
  assertEquals(both.length % (2 * innerSize), 0);
  reader.values.set("gate", both.filter((_, i) => i % 2 === 0));
  reader.values.set("up", both.filter((_, i) => i % 2 === 1));
  reader.values.delete("gate_up");
  return reader.values;
}

/** Everything inside layer 0 for a clean sequence, by the recorded names. */
async function stepsOfLayer0(
  gpu: Gpu,
  network: QwenDecoder,
  tokens: readonly number[],
): Promise<Steps> {
  const { blockSize, modelLength: window, headSize } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: tokens.length });
  const groups = [{ tokens, position: 0, blockSize, window }];
  for await (const state of decoderLayers(gpu, harness, groups)) {
    const steps = await attentionSteps(gpu, network, state);
    const cache = state.inputs.cache[0]!;
    steps.set("k_rotated", await readCache(gpu, { cache, store: "k", headSize }, tokens.length));
    const v = await readCache(gpu, { cache, store: "v", headSize }, tokens.length);
    assertEquals(v, steps.get("v"));
    for (const [name, each] of await perceptronSteps(gpu, network, state)) steps.set(name, each);
    return steps;
  }
  throw new RangeError("Cannot run layer 0: the network has no layers");
}

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  gpuTest(`layer 0 of ${basename(folder)} has the recorded value at every step`, async (gpu) => {
    const hidden = readFixture(join(folder, "hidden.safetensors"));
    // What it was recorded with, whether the product can know it or not.
    const { block_size: blockSize } = readJson(join(folder, "meta.json")) as { block_size: number };
    using network = loadQwenNetwork(gpu, folder, { blockSize });
    const steps = await stepsOfLayer0(gpu, network, integersOf(hidden, "tokens"));
    // Keys go to the cache rotated at once.
    const others = /^(hidden\.|tokens$|logits$|k_normed$)/;
    const recorded = [...hidden.keys()].filter((each) => !others.test(each));
    assertEquals([...steps.keys()].toSorted(), recorded.toSorted());
    assert(recorded.length > 10);
    for (const name of recorded) {
      assertClose(steps.get(name)!, floatsOf(hidden, name), RECORDED, name);
    }
  });
}
