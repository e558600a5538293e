import { join } from "@std/path";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { subsLogProbabilities } from "../reference/forward.ts";
import { forwardTwoStream, loadNetwork as loadReference } from "../reference/network.ts";
import { integersOf, readFixture } from "../support/fixtures.ts";
import { loadNetwork } from "../support/forward.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";
import { maskWindow, nelboOf } from "./nelbo.ts";

const TINY = join(import.meta.dirname!, "../fixtures/bd3lm-tiny");
const MASK = 60;

gpuTest("nelboOf() matches the reference for more windows than there are slots", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  const { modelLength, blockSize, vocabSize } = network.config;
  const x0 = integersOf(readFixture(join(TINY, "train.safetensors")), "x0");
  const windows = [0, modelLength].map((position) => {
    const window = x0.slice(position, position + modelLength);
    return maskWindow(window, { blockSize, maskToken: MASK, seed: 7, position });
  });
  const reference = loadReference(TINY);
  const expected = windows.map(({ x0, xt, weights }) => {
    const logits = forwardTwoStream(reference, { x0, xt, sigma: 0 });
    const losses = subsLogProbabilities(logits, xt, { mask: MASK });
    return x0.reduce((sum, token, i) => sum - weights[i]! * losses[i * vocabSize + token]!, 0);
  });
  // The reference takes its time: the same two windows by turns.
  const byTurns = <T>(two: readonly T[]) => Array.from({ length: 17 }, (_, i) => two[i % 2]!);
  assertClose(await nelboOf(gpu, network, byTurns(windows)), byTurns(expected));
});

Deno.test("maskWindow() masks 1 to all tokens of a block, the first of the window never", () => {
  const x0 = [0, 1, 2, 3, 4, 5, 6, 7];
  const rounds = 4000;
  const windows = Array.from(
    { length: rounds },
    (_, i) => maskWindow(x0, { blockSize: 4, maskToken: MASK, seed: 7, position: i * 8 }),
  );
  const counts = new Map<number, number>();
  for (const { xt, weights } of windows) {
    assertEquals(xt, x0.map((token, i) => weights[i]! > 0 ? MASK : token));
    assertAlmostEquals(weights.slice(0, 4).reduce((a, b) => a + b), 3);
    assertAlmostEquals(weights.slice(4).reduce((a, b) => a + b), 4);
    const count = xt.slice(4).filter((token) => token === MASK).length;
    counts.set(count, (counts.get(count) ?? 0) + 1);
  }
  // Four standard errors: 0.43 / √4000 for a count, at most 1.05 / √4000 for a weight.
  for (const count of [1, 2, 3, 4]) assertAlmostEquals(counts.get(count)! / rounds, 0.25, 0.028);
  for (const i of x0.keys()) {
    const mean = windows.reduce((sum, { weights }) => sum + weights[i]!, 0) / rounds;
    assertAlmostEquals(mean, i === 0 ? 0 : 1, 0.067);
  }
});
