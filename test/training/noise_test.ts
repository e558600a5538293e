import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { TIMES } from "../../src/diffusion/noise.ts";
import { drawNoise, type NoiseOptions } from "../../src/training/noise.ts";

const [LENGTH, BLOCK, MASK] = [64, 8, 99];
const OPTIONS: NoiseOptions = {
  ...{ blockSize: BLOCK, maskToken: MASK, schedule: "loglinear", times: TIMES },
  ...{ isAntithetic: true, seed: 3, step: 7 },
};

function windows(count: number): Uint32Array[] {
  return Array.from({ length: count }, () => Uint32Array.from({ length: LENGTH }, (_, i) => i));
}

Deno.test("drawNoise() masks with the chance of a block's time and weighs by its inverse", () => {
  const count = 60;
  let [masked, expected] = [0, 0];
  for (const { x0, xt, weights, blockTimes } of drawNoise(windows(count), OPTIONS)) {
    assertEquals([xt[0], weights[0]], [0, 0]);
    for (let i = 1; i < LENGTH; i++) {
      const time = blockTimes[Math.floor(i / BLOCK)]!;
      expected += time;
      if (xt[i] === MASK) masked++;
      assertEquals(xt[i], weights[i] === 0 ? x0[i] : MASK);
      if (weights[i]! > 0) assertAlmostEquals(weights[i]!, 1 / time / LENGTH / count, 1e-12);
    }
  }
  // Of 3,780 draws: five standard deviations.
  assert(Math.abs(masked - expected) < 5 * Math.sqrt(count * LENGTH / 4), `${masked} ${expected}`);
});

Deno.test("drawNoise() spreads times evenly over a batch, one to a stratum", () => {
  const count = 5;
  const times = drawNoise(windows(count), OPTIONS).flatMap(({ blockTimes }) => blockTimes);
  const strata = count * LENGTH / BLOCK;
  const places = times.map((t) => Math.floor((t - TIMES[0]) / (TIMES[1] - TIMES[0]) * strata));
  assertEquals(places.toSorted((a, b) => a - b), places.map((_, i) => i));
  assert(places.some((place, i) => place !== i));
});

Deno.test("drawNoise() draws independent times where it is told to", () => {
  const drawn = drawNoise(windows(5), { ...OPTIONS, isAntithetic: false });
  const places = drawn.flatMap(({ blockTimes }) => blockTimes.map((t) => Math.floor(40 * t)));
  assert(new Set(places).size < places.length);
});

Deno.test("drawNoise() keeps clipped blocks within their shares of masks", () => {
  const times = [0.3, 0.8] as const;
  for (const { xt, weights, blockTimes } of drawNoise(windows(40), { ...OPTIONS, times })) {
    blockTimes.forEach((time, block) => {
      assert(time >= 0.3 && time <= 0.8);
      const own = Array.from(xt).slice(block * BLOCK, (block + 1) * BLOCK);
      const share = own.filter((token) => token === MASK).length / BLOCK;
      assert(share >= 0.3 && share <= 0.8, `share ${share}`);
    });
    assert(Array.from(weights).every((weight) => weight < 1 / 0.3 / LENGTH));
  }
});

Deno.test("drawNoise() weighs all alike where the least time is above a half", () => {
  const [first] = drawNoise(windows(1), { ...OPTIONS, times: [0.6, 0.95] });
  const weights = new Set(Array.from(first!.weights).filter((weight) => weight > 0));
  assertEquals([...weights], [1 / LENGTH]);
});

Deno.test("drawNoise() masks all but position 0 in blocks of one token", () => {
  const [first] = drawNoise(windows(1), { ...OPTIONS, blockSize: 1, times: [0.3, 0.8] });
  assertEquals(Array.from(first!.xt), [0, ...Array(LENGTH - 1).fill(MASK)]);
  assertEquals(Array.from(first!.weights), [0, ...Array(LENGTH - 1).fill(1 / LENGTH)]);
});

Deno.test("drawNoise() repeats for a seed and step, and differs for others", () => {
  const first = drawNoise(windows(2), OPTIONS);
  assertEquals(drawNoise(windows(2), OPTIONS), first);
  for (const change of [{ seed: 4 }, { step: 8 }]) {
    const [other] = drawNoise(windows(2), { ...OPTIONS, ...change });
    assert(Array.from(other!.xt).some((token, i) => token !== first[0]!.xt[i]));
  }
});
