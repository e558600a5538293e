import { assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { QwenDecoder } from "../../src/model/qwen_decoder.ts";
import { align } from "../../src/weights/formats.ts";
import {
  type Fixture,
  fixtureFolders,
  floatsOf,
  hasFile,
  integersOf,
  readFixture,
  readJson,
} from "../support/fixtures.ts";
import { blockPasses, ForwardHarness, placeRows, unpad } from "../support/forward.ts";
import { assertClose, gpuTest, readFloats } from "../support/gpu.ts";
import { readCache } from "../support/layer_steps.ts";
import { decoderLayers, loadQwenNetwork } from "../support/qwen.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };

/** Logits of every noisy block after the clean blocks before it, and of every clean block, committed. */
async function blockLogits(
  gpu: Gpu,
  network: QwenDecoder,
  sample: Fixture,
): Promise<{ noisy: Float32Array; clean: Float32Array; harness: ForwardHarness<QwenDecoder> }> {
  const streams = { x0: integersOf(sample, "x0"), xt: integersOf(sample, "xt") };
  const { blockSize, modelLength: window, vocabSize: width } = network.config;
  const harness = new ForwardHarness(gpu, network, { positions: streams.x0.length });
  const all = new Float32Array(2 * streams.xt.length * width);
  for (const groups of blockPasses(streams, { blockSize, window })) {
    placeRows(all, groups, { values: await harness.logits(groups), width });
  }
  // The cache of the last block is that of its noise: nothing follows it.
  const last = streams.x0.length - blockSize;
  const tokens = streams.x0.slice(last);
  const committed = await harness.logits([{ tokens, position: last, blockSize, window }]);
  all.set(committed, all.length - committed.length);
  const half = all.length / 2;
  return { noisy: all.subarray(0, half), clean: all.subarray(half), harness };
}

/** The same without a cache: everything before a block is computed with it. */
async function recomputedLogits(
  gpu: Gpu,
  network: QwenDecoder,
  sample: Fixture,
): Promise<Float32Array> {
  const [x0, xt] = [integersOf(sample, "x0"), integersOf(sample, "xt")];
  const { blockSize, modelLength: window, vocabSize } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: x0.length });
  const all = new Float32Array(xt.length * vocabSize);
  for (let start = 0; start < xt.length; start += blockSize) {
    const tokens = [...x0.slice(0, start), ...xt.slice(start, start + blockSize)];
    const logits = await harness.logits([{ tokens, position: 0, blockSize, window }]);
    all.set(logits.subarray(-blockSize * vocabSize), start * vocabSize);
  }
  return all;
}

/** The folder's checkpoint in half precision: a folder of its own, or one file. */
function withHalf<T>(folder: string, run: (directory: string) => T): T {
  const own = join(folder, "bf16");
  if (hasFile(own)) return run(own);
  return withTempDir((directory) => {
    for (const file of ["config.json", "tokenizer_config.json"]) {
      Deno.copyFileSync(join(folder, file), join(directory, file));
    }
    const weights = join(folder, "model.bf16.safetensors");
    Deno.copyFileSync(weights, join(directory, "model.safetensors"));
    return run(directory);
  });
}

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  const name = basename(folder);
  const sample = readFixture(join(folder, "sample.safetensors"));
  const hidden = readFixture(join(folder, "hidden.safetensors"));
  // What it was recorded with, whether the product can know it or not.
  const { block_size: blockSize } = readJson(join(folder, "meta.json")) as { block_size: number };

  gpuTest(`a clean sequence has the recorded states and logits of ${name}`, async (gpu) => {
    using network = loadQwenNetwork(gpu, folder, { blockSize });
    const tokens = integersOf(hidden, "tokens");
    using harness = new ForwardHarness(gpu, network, { positions: tokens.length });
    const { modelLength: window, hiddenSize } = network.config;
    const groups = [{ tokens, position: 0, blockSize, window }];
    for await (const { index, x } of decoderLayers(gpu, harness, groups)) {
      const values = (await readFloats(gpu, x)).subarray(0, x.length);
      const label = `hidden.${index}`;
      const state = unpad(values, align(hiddenSize), hiddenSize);
      assertClose(state, floatsOf(hidden, label), RECORDED, label);
    }
    const inputs = harness.inputs(groups);
    const pass = gpu.pass();
    using normalized = network.forward(pass, inputs)!; // There are heads.
    pass.submit();
    const values = (await readFloats(gpu, normalized)).subarray(0, normalized.length);
    const final = unpad(values, align(hiddenSize), hiddenSize);
    assertClose(final, floatsOf(hidden, "hidden.final"), RECORDED, "hidden.final");
    assertClose(await harness.logits(groups), floatsOf(hidden, "logits"), RECORDED, "logits");
  });

  gpuTest(
    `${name} gives the recorded logits block by block, with a cache or without`,
    async (gpu) => {
      using network = loadQwenNetwork(gpu, folder, { blockSize });
      const { noisy, clean, harness } = await blockLogits(gpu, network, sample);
      using _ = harness;
      assertClose(noisy, floatsOf(sample, "logits"), RECORDED, "logits");
      // Same sums in the same order.
      assertEquals(await recomputedLogits(gpu, network, sample), noisy);
      const { vocabSize, headSize } = network.config;
      if (sample.has("commit_last_logits")) {
        const last = clean.filter((_, i) =>
          Math.floor(i / vocabSize) % blockSize === blockSize - 1
        );
        assertClose(last, floatsOf(sample, "commit_last_logits"), RECORDED, "commit_last_logits");
      }
      const length = integersOf(sample, "x0").length;
      for (const store of ["k", "v"] as const) {
        const all: number[] = [];
        for (const cache of harness.cache.layers) {
          all.push(...await readCache(gpu, { cache, store, headSize }, length));
        }
        assertClose(all, floatsOf(sample, `${store}_clean`), RECORDED, `${store}_clean`);
      }
    },
  );

  gpuTest(`${name} stays near the recorded logits with a cache of halves`, async (gpu) => {
    using network = loadQwenNetwork(gpu, folder, { cacheFormat: "f16", blockSize });
    const { noisy, harness } = await blockLogits(gpu, network, sample);
    using _ = harness;
    // Halves are off by 2^-11 of their size at most, keys and values in every layer.
    assertClose(noisy, floatsOf(sample, "logits"), { tolerance: 2e-3 });
    assertEquals(await recomputedLogits(gpu, network, sample), noisy);
  });

  if (!sample.has("logits_bf16_weights")) continue;
  // Weights of these sizes are as exact in one format as in the other.
  for (const format of ["f32", "f16"] as const) {
    gpuTest(`the bf16 weights of ${name} stored as ${format} give their logits`, async (gpu) => {
      using network = withHalf(
        folder,
        (directory) => loadQwenNetwork(gpu, directory, { format, blockSize }),
      );
      const { noisy, harness } = await blockLogits(gpu, network, sample);
      using _ = harness;
      assertClose(noisy, floatsOf(sample, "logits_bf16_weights"), RECORDED);
    });
  }
}
