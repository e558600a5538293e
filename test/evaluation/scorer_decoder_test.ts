import { join } from "@std/path";
import { drawCopy } from "../../src/evaluation/noisy_copy.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import { subsLogProbabilities } from "../reference/forward.ts";
import {
  forwardBlocks,
  joinBlocks,
  type KeyValues,
  loadQwenReference,
} from "../reference/qwen_network.ts";
import { finish } from "../support/finish.ts";
import { integersOf, readFixture } from "../support/fixtures.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";
import { loadQwenNetwork } from "../support/qwen.ts";

const FOLDER = join(import.meta.dirname!, "../fixtures/sdar-tiny");
const MASK = 96;
const BLOCK = 4;

/** ln p of the masked tokens, 0 for the others, in float64: every noisy block after clean ones. */
function expected(x0: readonly number[], xt: readonly number[]): Float64Array {
  const network = loadQwenReference(FOLDER);
  const blocks: KeyValues[] = [];
  const logits: number[] = [];
  for (let start = 0; start < x0.length; start += BLOCK) {
    const past = joinBlocks(blocks);
    const run = (tokens: readonly number[]) =>
      forwardBlocks(network, {
        tokens: tokens.slice(start, start + BLOCK),
        blockSize: BLOCK,
        past,
      });
    logits.push(...run(xt).logits);
    blocks.push(run(x0));
  }
  const all = subsLogProbabilities(Float64Array.from(logits), xt, { mask: MASK });
  const { vocab_size: vocabulary } = network.config;
  return Float64Array.from(x0, (token, i) => xt[i] === MASK ? all[i * vocabulary + token]! : 0);
}

gpuTest("score() matches the reference with a decoder, in passes of any size", async (gpu) => {
  using network = loadQwenNetwork(gpu, FOLDER);
  const x0 = integersOf(readFixture(join(FOLDER, "hidden.safetensors")), "tokens").slice(0, 20);
  const text = { x0, given: 3, blockSize: BLOCK };
  const copies = [0, 1, 2].map((draw) =>
    drawCopy(text, { estimator: { type: "counts" }, maskToken: MASK, seed: 5, draw })
  );
  for (const rows of [4, 256]) {
    using scorer = await Scorer.open(gpu, network, { rows });
    const [scores] = await finish(scorer.score([{ ...text, copies }]));
    for (const [i, { xt }] of copies.entries()) {
      assertClose(scores![i]!, expected(x0, xt), {}, `copy ${i}, ${rows} rows`);
    }
  }
});
