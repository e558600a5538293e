import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { clipped, NOISE_SCHEDULES, TIMES } from "../../src/diffusion/noise.ts";
import {
  drawCopy,
  type Estimator,
  maskAtTimes,
  maskCounts,
  type NoisyCopy,
  scoredBlocks,
  type Text,
} from "../../src/evaluation/noisy_copy.ts";

const MASK = 60;
const { loglinear } = NOISE_SCHEDULES;
const TEXT: Text = { x0: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], given: 1, blockSize: 4 };

const ESTIMATORS: readonly [string, Estimator][] = [
  ["counts", { type: "counts" }],
  ["times", { type: "times", schedule: loglinear, times: TIMES }],
  ["square times", { type: "times", schedule: NOISE_SCHEDULES.square, times: TIMES }],
];

function draw(estimator: Estimator, number: number, text = TEXT): NoisyCopy {
  return drawCopy(text, { estimator, maskToken: MASK, seed: 7, draw: number });
}

/** Whatever is drawn: what is masked counts, what is not does not, what is given stays. */
function assertSound({ xt, weights }: NoisyCopy, { x0, given }: Text): void {
  assertEquals(xt, x0.map((token, i) => weights[i]! > 0 ? MASK : token));
  assert(weights.subarray(0, given).every((weight) => weight === 0));
}

Deno.test("scoredBlocks() begins with the block of the first token to score", () => {
  assertEquals(scoredBlocks(TEXT), [0, 4, 8]);
  assertEquals(scoredBlocks({ ...TEXT, given: 4 }), [4, 8]);
  assertEquals(scoredBlocks({ ...TEXT, given: 7 }), [4, 8]);
  assertEquals(scoredBlocks({ ...TEXT, given: 9, blockSize: 1 }), [9]);
  assertEquals(scoredBlocks({ ...TEXT, given: 0, blockSize: 16 }), [0]);
});

Deno.test("maskCounts() masks as many as it is told, those with the smallest numbers", () => {
  const ofTokens = [0, 0.3, 0.1, 0.2, 0.9, 0.4, 0.8, 0.1, 0.5, 0.4];
  const copy = maskCounts(TEXT, { ofBlocks: [0.34, 0.99, 0.5], ofTokens, maskToken: MASK });
  // 2 of 3, all 4, and 2 of 2 tokens.
  assertEquals(copy.xt, [0, 1, MASK, MASK, MASK, MASK, MASK, MASK, MASK, MASK]);
  assertEquals([...copy.weights], [0, 0, 1.5, 1.5, 1, 1, 1, 1, 1, 1]);
  assertAlmostEquals(copy.sigma, Math.log(3), 1e-12);
});

Deno.test("maskAtTimes() masks what is up to the move chance", () => {
  const ofTokens = [0, 0.3, 0.1, 0.2, 0.9, 0.4, 0.8, 0.1, 0.5, 0.4];
  const at = { times: [0.2, 1, 0.45], ofTokens, maskToken: MASK };
  const copy = maskAtTimes(TEXT, { schedule: loglinear, ...at });
  assertEquals(copy.xt, [0, 1, MASK, MASK, MASK, MASK, MASK, MASK, 8, MASK]);
  assertEquals([...copy.weights], [0, 0, 5, 5, 1, 1, 1, 1, 0, 1 / 0.45]);
  assertAlmostEquals(copy.sigma, -Math.log(0.8), 1e-12);
  const squares = maskAtTimes(TEXT, { schedule: NOISE_SCHEDULES.square, ...at });
  // Move chances 0.04, 1 and 0.2025.
  assertEquals([...squares.weights], [0, 0, 0, 0, 2, 2, 2, 2, 0, 0]);
});

for (const [name, estimator] of ESTIMATORS) {
  Deno.test(`drawCopy() by ${name} counts every token once in the mean`, () => {
    const rounds = 4000;
    const copies = Array.from({ length: rounds }, (_, i) => draw(estimator, i));
    for (const copy of copies) assertSound(copy, TEXT);
    for (const i of TEXT.x0.keys()) {
      const values = copies.map(({ weights }) => weights[i]!);
      const mean = values.reduce((sum, each) => sum + each, 0) / rounds;
      const squares = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / rounds;
      // Four standard errors; that times begin at 1e-3 takes no more away.
      assertAlmostEquals(mean, i === 0 ? 0 : 1, 4 * Math.sqrt(squares / rounds) + 1e-3, `${i}`);
    }
  });

  Deno.test(`drawCopy() by ${name} depends on seed, draw and position alone`, () => {
    const options = { estimator, maskToken: MASK, seed: 3, draw: 2, position: 40 };
    const one = drawCopy(TEXT, options);
    assertEquals(drawCopy(TEXT, options), one);
    // What comes before does not matter but for the position.
    const others = [{ seed: 4 }, { draw: 3 }, { position: 50 }]
      .map((each) => drawCopy(TEXT, { ...options, ...each }));
    for (const other of others) assert(`${other.weights}` !== `${one.weights}`);
  });
}

Deno.test("drawCopy() by counts masks all of blocks of one token, whatever is drawn", () => {
  for (const number of [0, 1, 2]) {
    const { xt, weights } = draw({ type: "counts" }, number, { ...TEXT, blockSize: 1 });
    assertEquals(xt, [0, ...Array(9).fill(MASK)]);
    assertEquals([...weights], [0, ...Array(9).fill(1)]);
  }
});

Deno.test("drawCopy() by counts makes every number of masks as likely", () => {
  const rounds = 4000;
  const counts = new Map<number, number>();
  for (let i = 0; i < rounds; i++) {
    const { xt, weights } = draw({ type: "counts" }, i);
    assertAlmostEquals(weights.slice(1, 4).reduce((a, b) => a + b), 3);
    assertAlmostEquals(weights.slice(4, 8).reduce((a, b) => a + b), 4);
    const count = xt.slice(4, 8).filter((token) => token === MASK).length;
    counts.set(count, (counts.get(count) ?? 0) + 1);
  }
  // Four standard errors: 0.43 / √4000.
  for (const count of [1, 2, 3, 4]) assertAlmostEquals(counts.get(count)! / rounds, 0.25, 0.028);
});

Deno.test("drawCopy() spreads the blocks of a draw evenly over the range of noise", () => {
  const text = { x0: Array.from({ length: 80 }, (_, i) => i), given: 0, blockSize: 4 };
  const orders = Array.from({ length: 20 }, (_, number) => {
    const { weights } = draw({ type: "counts" }, number, text);
    const counts = Array.from(
      { length: 20 },
      (_, block) =>
        weights.subarray(4 * block, 4 * block + 4).filter((weight) => weight > 0).length,
    );
    // A quarter of the 20 blocks each.
    assertEquals([1, 2, 3, 4].map((k) => counts.filter((each) => each === k).length), [5, 5, 5, 5]);
    return counts.join();
  });
  assertEquals(new Set(orders).size, 20, "each draw has an order of its own");
});

Deno.test("drawCopy() keeps to the times it is told", () => {
  const { times, ...schedule } = clipped(0.3, 0.5);
  for (let i = 0; i < 50; i++) {
    const { weights } = draw({ type: "times", schedule, times }, i);
    for (const weight of weights) assert(weight === 0 || (weight >= 2 && weight <= 1 / 0.3));
  }
});
