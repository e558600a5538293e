import type { Gpu } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import * as reference from "../reference/network.ts";
import { type TestFloatType, writeTinyCheckpoint } from "../support/checkpoints.ts";
import {
  blockPasses,
  ForwardHarness,
  loadNetwork,
  placeRows,
  type TwoStreams,
} from "../support/forward.ts";
import { assertClose, gpuTest, noise } from "../support/gpu.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Of a noise level that is neither of the ends. */
const SIGMA = 0.7;

/** A checkpoint on both sides: on the device, and as the reference reads it. */
interface Pair extends Disposable {
  readonly network: Bd3lm;
  readonly expected: reference.Network;
}

function openPair(
  gpu: Gpu,
  options: { config: Record<string, unknown>; dtype: TestFloatType; format: WeightFormat },
): Pair {
  return withTempDir((directory) => {
    writeTinyCheckpoint(directory, { ...options, hasTokenizer: false });
    // The reference keeps keys and values whole.
    const network = loadNetwork(gpu, directory, { ...options, cacheFormat: "f32" });
    const expected = reference.loadNetwork(directory);
    return { network, expected, [Symbol.dispose]: () => network[Symbol.dispose]() };
  });
}

/** Two windows and a half of blocks, half of the noisy tokens masked. */
function sequencesFor({ vocabSize, blockSize, modelLength, maskToken }: Bd3lm["config"]) {
  const blocks = Math.ceil(2.5 * modelLength / blockSize);
  const draw = (seed: number) =>
    Array.from(noise(blocks * blockSize, seed), (each) => (each + 1) / 2);
  const x0 = draw(1).map((each) => Math.floor(each * (vocabSize - 1)));
  return { x0, xt: draw(2).map((each, i) => each < 0.5 ? maskToken : x0[i]!) };
}

/** Logits of every row, of `xt` then of `x0`, through a cache that slides. */
async function cachedLogits(gpu: Gpu, network: Bd3lm, streams: TwoStreams): Promise<Float32Array> {
  const { blockSize, modelLength: window, vocabSize: width } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: window + blockSize });
  const all = new Float32Array(2 * streams.xt.length * width);
  for (const groups of blockPasses(streams, { blockSize, window, sigma: SIGMA })) {
    placeRows(all, groups, { values: await harness.logits(groups), width });
  }
  return all;
}

/** The same by the reference: noisy blocks at the end of a band, then the clean band itself. */
function expectedLogits(
  network: reference.Network,
  { x0, xt }: TwoStreams,
  { blockSize, window }: { blockSize: number; window: number },
): number[] {
  const sigma = SIGMA;
  const all: number[] = [];
  const rows = blockSize * network.config.vocab_size;
  for (let start = 0; start < xt.length; start += blockSize) {
    const tokens = [...x0.slice(0, start), ...xt.slice(start, start + blockSize)];
    all.push(
      ...reference.forwardBlockCausal(network, { tokens, sigma, window }).logits.slice(-rows),
    );
  }
  return [...all, ...reference.forwardBlockCausal(network, { tokens: x0, sigma, window }).logits];
}

async function checkPair(gpu: Gpu, { network, expected }: Pair): Promise<void> {
  const { blockSize, modelLength } = network.config;
  const streams = sequencesFor(network.config);
  const window = modelLength / blockSize;
  const logits = await cachedLogits(gpu, network, streams);
  assertClose(logits, expectedLogits(expected, streams, { blockSize, window }));
}

// Head sizes 12, 6, 6 and 40; the smallest of everything; widths off and on the alignment.
const SHAPES = [
  { hidden: 36, heads: 3, vocabulary: 53, condition: 10, block: 3, length: 24 },
  { hidden: 30, heads: 5, vocabulary: 11, condition: 7, block: 5, length: 10 },
  { hidden: 6, heads: 1, vocabulary: 3, condition: 1, block: 1, length: 7 },
  { hidden: 80, heads: 2, vocabulary: 129, condition: 16, block: 8, length: 8 },
] as const;

function configOf(
  shape: (typeof SHAPES)[number],
  switches: { adaln: boolean; time_conditioning: boolean },
): Record<string, unknown> {
  return {
    ...switches,
    hidden_dim: shape.hidden,
    n_heads: shape.heads,
    vocab_size: shape.vocabulary,
    cond_dim: shape.condition,
    block_size: shape.block,
    model_length: shape.length,
  };
}

for (const shape of SHAPES) {
  const { hidden, heads, vocabulary, block } = shape;
  const name = `width ${hidden}, ${heads} heads, ${vocabulary} tokens and blocks of ${block}`;
  gpuTest(`a network of ${name} matches the reference`, async (gpu) => {
    const config = configOf(shape, { adaln: true, time_conditioning: true });
    using pair = openPair(gpu, { config, dtype: "F32", format: "f32" });
    await checkPair(gpu, pair);
  });
}

for (const adaln of [true, false]) {
  for (const time_conditioning of [true, false]) {
    const what = `adaln ${adaln} and time_conditioning ${time_conditioning}`;
    for (const [dtype, format] of [["F32", "f32"], ["F16", "f16"], ["BF16", "f16"]] as const) {
      gpuTest(`${dtype} stored as ${format} with ${what} matches the reference`, async (gpu) => {
        const config = configOf(SHAPES[0], { adaln, time_conditioning });
        using pair = openPair(gpu, { config, dtype, format });
        await checkPair(gpu, pair);
      });
    }
  }
}
