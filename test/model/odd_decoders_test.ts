import { assertEquals } from "@std/assert";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import type { QwenDecoder } from "../../src/model/qwen_decoder.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { deviceClassesOf, disguise } from "../kernels/tables.ts";
import {
  forwardBlocks,
  joinBlocks,
  type KeyValues,
  loadQwenReference,
  type QwenNetwork,
} from "../reference/qwen_network.ts";
import { blockPasses, ForwardHarness, placeRows, type TwoStreams } from "../support/forward.ts";
import { assertClose, gpuTest, noise } from "../support/gpu.ts";
import { loadQwenNetwork } from "../support/qwen.ts";
import { type TinyQwenOptions, writeTinyQwen } from "../support/qwen_checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** A checkpoint on both sides: on the device, and as the reference reads it. */
function openPair(
  gpu: Gpu,
  { format = "f32", ...options }: TinyQwenOptions & { readonly format?: WeightFormat },
): { network: QwenDecoder; expected: QwenNetwork } {
  return withTempDir((directory) => {
    writeTinyQwen(directory, options);
    const network = loadQwenNetwork(gpu, directory, { format });
    return { network, expected: loadQwenReference(directory) };
  });
}

/** Five blocks, half of the noisy tokens masked. */
function sequencesFor({ vocabSize, blockSize, maskToken }: QwenDecoder["config"]): TwoStreams {
  const draw = (seed: number) => Array.from(noise(5 * blockSize, seed), (each) => (each + 1) / 2);
  const x0 = draw(1).map((each) => Math.floor(each * (vocabSize - 1)));
  return { x0, xt: draw(2).map((each, i) => each < 0.5 ? maskToken : x0[i]!) };
}

/** Logits of every row, of `xt` then of `x0`, through the cache. */
async function cachedLogits(
  gpu: Gpu,
  network: QwenDecoder,
  streams: TwoStreams,
): Promise<Float32Array> {
  const { blockSize, modelLength: window, vocabSize: width } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: streams.x0.length });
  const all = new Float32Array(2 * streams.xt.length * width);
  for (const groups of blockPasses(streams, { blockSize, window })) {
    placeRows(all, groups, { values: await harness.logits(groups), width });
  }
  const blocks = all.length - blockSize * width;
  // The last clean block is committed by nothing.
  return all.subarray(0, blocks);
}

/** The same by the reference, block by block. */
function expectedLogits(
  network: QwenNetwork,
  { x0, xt }: TwoStreams,
  blockSize: number,
): number[] {
  const blocks: KeyValues[] = [];
  const [noisy, clean]: number[][] = [[], []];
  for (let start = 0; start < x0.length; start += blockSize) {
    const past = joinBlocks(blocks);
    const run = (tokens: readonly number[]) =>
      forwardBlocks(network, { tokens: tokens.slice(start, start + blockSize), blockSize, past });
    noisy!.push(...run(xt).logits);
    const committed = run(x0);
    blocks.push(committed);
    if (start + blockSize < x0.length) clean!.push(...committed.logits);
  }
  return [...noisy!, ...clean!];
}

async function checkPair(
  gpu: Gpu,
  options: TinyQwenOptions & { readonly format?: WeightFormat },
): Promise<void> {
  const { network, expected } = openPair(gpu, options);
  using _ = network;
  const streams = sequencesFor(network.config);
  const logits = await cachedLogits(gpu, network, streams);
  assertClose(logits, expectedLogits(expected, streams, network.config.blockSize));
}

// Head sizes 12, 16, 6, 40 and 2; one key/value head, and as many as heads; all heads together wider and
// narrower than the hidden states; the smallest of everything.
const SHAPES = [
  { hidden: 48, inner: 80, heads: 4, shared: 1, head: 12, vocabulary: 97, block: 4 },
  { hidden: 48, inner: 44, heads: 6, shared: 2, head: 16, vocabulary: 97, block: 8 },
  { hidden: 30, inner: 7, heads: 5, shared: 5, head: 6, vocabulary: 101, block: 3 },
  { hidden: 66, inner: 130, heads: 4, shared: 2, head: 40, vocabulary: 129, block: 5 },
  { hidden: 2, inner: 1, heads: 1, shared: 1, head: 2, vocabulary: 97, block: 1 },
] as const;

function configOf(shape: (typeof SHAPES)[number], isTied: boolean): Record<string, unknown> {
  return {
    hidden_size: shape.hidden,
    intermediate_size: shape.inner,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.shared,
    head_dim: shape.head,
    vocab_size: shape.vocabulary,
    block_size: shape.block,
    tie_word_embeddings: isTied,
  };
}

for (const shape of SHAPES) {
  const { hidden, heads, shared, head, block } = shape;
  const name = `${heads} heads of ${head} on ${shared} in ${hidden}, blocks of ${block}`;
  for (const [hasQkNorm, hasBias, isTied] of [[true, false, false], [false, true, true]] as const) {
    const how = hasQkNorm ? "norms of heads" : "biases and a tied head";
    gpuTest(`a decoder of ${name} with ${how} matches the reference`, async (gpu) => {
      await checkPair(gpu, { config: configOf(shape, isTied), hasQkNorm, hasBias });
    });
  }
}

for (const deviceClass of ["cpu with subgroups", "cpu", "gpu"] as const satisfies DeviceClass[]) {
  for (const [dtype, format] of [["F32", "f32"], ["BF16", "f16"], ["F16", "int8"]] as const) {
    gpuTest(`${dtype} stored as ${format} matches the reference on ${deviceClass}`, async (gpu) => {
      // Where there are no subgroups of 8, its own kernels once more.
      const own = deviceClassesOf(gpu).includes(deviceClass) ? deviceClass : gpu.deviceClass;
      const device = disguise(gpu, { deviceClass: own });
      const config = configOf(SHAPES[0], false);
      await checkPair(device, { config, dtype, format, hasBias: true });
    });
  }
}

gpuTest("a decoder gives a sequence the same bits alone and among others", async (gpu) => {
  const { network } = openPair(gpu, { config: configOf(SHAPES[1], false) });
  using _ = network;
  const { blockSize, modelLength: window, vocabSize } = network.config;
  for (const deviceClass of deviceClassesOf(gpu)) {
    const device = disguise(gpu, { deviceClass });
    using harness = new ForwardHarness(device, network, { slots: 2, positions: 4 * blockSize });
    const tokens = sequencesFor(network.config).x0.slice(0, 3 * blockSize);
    const group = { tokens, position: 0, blockSize, window };
    const alone = await harness.logits([group]);
    const other = { ...group, slot: 1, tokens: tokens.toReversed().slice(0, 2 * blockSize) };
    const together = await harness.logits([other, group]);
    assertEquals(together.subarray(other.tokens.length * vocabSize), alone, deviceClass);
  }
});
