import { basename, join } from "@std/path";
import { assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import {
  type Fixture,
  fixtureFolders,
  floatsOf,
  integersOf,
  readFixture,
} from "../support/fixtures.ts";
import {
  blockPasses,
  ForwardHarness,
  loadNetwork,
  placeRows,
  type TwoStreams,
} from "../support/forward.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };

/** A recorded pair of sequences with the one noise level of all its passes. */
interface Recorded extends TwoStreams {
  readonly sigma: number;
}

function readRecorded(fixture: Fixture, sigma: number): Recorded {
  return { x0: integersOf(fixture, "x0"), xt: integersOf(fixture, "xt"), sigma };
}

/** As many positions as the product gives a sequence: the window, and the block being committed. */
function openHarness(gpu: Gpu, network: Bd3lm): ForwardHarness {
  const { modelLength, blockSize } = network.config;
  return new ForwardHarness(gpu, network, { positions: modelLength + blockSize });
}

/** Logits of every noisy block after the clean blocks that the cache still holds. */
async function cachedLogits(
  gpu: Gpu,
  network: Bd3lm,
  { sigma, ...streams }: Recorded,
): Promise<Float32Array> {
  const { blockSize, modelLength: window, vocabSize: width } = network.config;
  using harness = openHarness(gpu, network);
  const all = new Float32Array(2 * streams.xt.length * width);
  for (const groups of blockPasses(streams, { blockSize, window, sigma })) {
    placeRows(all, groups, { values: await harness.logits(groups), width });
  }
  return all.subarray(0, all.length / 2);
}

/** Logits of every noisy block at the end of a window that is computed afresh. */
async function recomputedLogits(
  gpu: Gpu,
  network: Bd3lm,
  { x0, xt, sigma }: Recorded,
): Promise<Float32Array> {
  const { blockSize, modelLength: window, vocabSize } = network.config;
  using harness = openHarness(gpu, network);
  const ofBlock = blockSize * vocabSize;
  const all = new Float32Array(xt.length * vocabSize);
  for (let start = 0; start < xt.length; start += blockSize) {
    const tokens = [...x0.slice(0, start), ...xt.slice(start, start + blockSize)].slice(-window);
    const logits = await harness.logits([{ tokens, position: 0, blockSize, window, sigma }]);
    all.set(logits.subarray(-ofBlock), start * vocabSize);
  }
  return all;
}

for (const folder of fixtureFolders()) {
  const name = basename(folder);
  const sample = readFixture(join(folder, "sample.safetensors"));
  const sliding = readFixture(join(folder, "sliding.safetensors"));
  const sigma = floatsOf(readFixture(join(folder, "train.safetensors")), "sigma")[0]!;

  gpuTest(
    `${name} gives the recorded logits block by block, from the cache or without`,
    async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      const recorded = readRecorded(sample, sigma);
      const cached = await cachedLogits(gpu, network, recorded);
      assertClose(cached, floatsOf(sample, "logits"), RECORDED, "cached");
      // Same sums in the same order.
      assertEquals(await recomputedLogits(gpu, network, recorded), cached);
    },
  );

  gpuTest(`${name} stays near the recorded logits with a cache of halves`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32", cacheFormat: "f16" });
    const recorded = readRecorded(sample, sigma);
    const cached = await cachedLogits(gpu, network, recorded);
    // Halves are off by 2^-11 of their size at most, keys and values in every layer.
    assertClose(cached, floatsOf(sample, "logits"), { tolerance: 2e-3 });
    assertEquals(await recomputedLogits(gpu, network, recorded), cached);
  });

  gpuTest(`${name} gives the recorded logits from a cache that slides`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32" });
    const logits = await cachedLogits(gpu, network, readRecorded(sliding, sigma));
    assertClose(logits, floatsOf(sliding, "logits_cached"), RECORDED);
  });

  gpuTest(`${name} gives the recorded logits from windows computed afresh`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32" });
    const logits = await recomputedLogits(gpu, network, readRecorded(sliding, sigma));
    assertClose(logits, floatsOf(sliding, "logits_recomputed"), RECORDED);
  });
}
