import { join } from "@std/path";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { clipRanges, searchClip, steadiest } from "../../src/evaluation/clip_search.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import { integersOf, readFixture } from "../support/fixtures.ts";
import { finish } from "../support/finish.ts";
import { loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";

const TINY = join(import.meta.dirname!, "../fixtures/bd3lm-tiny");

Deno.test("clipRanges() has all times, and five widths in steps of 0.05", () => {
  const ranges = clipRanges(4);
  assertEquals(ranges.length, 1 + 11 + 9 + 7 + 5 + 3);
  assertEquals(ranges.slice(0, 3), [[1e-3, 1], [1e-3, 0.5], [0.05, 0.55]]);
  assertEquals(ranges.slice(-3), [[1e-3, 0.9], [0.05, 0.95], [0.1, 1]]);
  for (const [low, high] of ranges) assert(low >= 1e-3 && high <= 1 && high - low > 0.498);
  assertEquals(clipRanges(1), [[1e-3, 1], [1, 1]]);
});

Deno.test("steadiest() takes the least variance", () => {
  const [one, two] = [3, 2].map((variance) => ({ range: [0, 1] as const, variance, loss: 1 }));
  assertEquals(steadiest([one!, two!, one!]), two);
});

gpuTest("searchClip() finds all noise steadiest in blocks of one token", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 2048 });
  const x0 = integersOf(readFixture(join(TINY, "train.safetensors")), "x0").slice(0, 32);
  const windows = Array(200).fill(x0);
  const [some, all] = await finish(searchClip(scorer, windows, { blockSize: 1, seed: 3 }));
  // With all tokens masked every window loses the same, so that only the tokens differ.
  const losses = await exactLosses(scorer, x0);
  const mean = losses.reduce((sum, each) => sum + each, 0) / losses.length;
  const squares = losses.reduce((sum, each) => sum + each ** 2, 0) / losses.length;
  assertEquals(all!.range, [1, 1]);
  assertAlmostEquals(all!.loss, mean, 1e-9);
  assertAlmostEquals(all!.variance / (squares - mean ** 2), 1, 1 / 6000);
  // A token counts 1/t with probability t: in the mean as much, its square -ln 0.001 = 6.9 times as
  // much, with a tail that reaches to 1000 times.
  assertAlmostEquals(some!.loss, mean, 4 * Math.sqrt(6.9 * squares / 6200));
  assert(some!.variance > 2 * all!.variance, `${some!.variance}`);
});

gpuTest("searchClip() tells how far it is, and gives the same for the same seed", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 512 });
  const all = integersOf(readFixture(join(TINY, "train.safetensors")), "x0");
  const windows = [all.slice(0, 32), all.slice(32)];
  const steps = searchClip(scorer, windows, { blockSize: 8, seed: 3 });
  const shares: number[] = [];
  let step = await steps.next();
  for (; !step.done; step = await steps.next()) shares.push(step.value.share);
  assertEquals(shares.length, 36);
  assertAlmostEquals(shares[8]!, 9 / 36);
  const again = await finish(searchClip(scorer, windows, { blockSize: 8, seed: 3 }));
  assertEquals(again, step.value);
  const other = await finish(searchClip(scorer, windows, { blockSize: 8, seed: 4 }));
  assert(other[5]!.variance !== again[5]!.variance);
});

/** −ln p of every token of a window but the first. */
async function exactLosses(scorer: Scorer, x0: readonly number[]): Promise<number[]> {
  const { maskToken } = scorer.network.config;
  const xt = x0.map((token, i) => i === 0 ? token : maskToken);
  const copies = [{ xt, weights: new Float64Array(x0.length), sigma: 0 }];
  const [[logP]] = await finish(scorer.score([{ x0, given: 1, blockSize: 1, copies }])) as [
    [Float64Array],
  ];
  return [...logP.subarray(1)].map((each) => -each);
}
