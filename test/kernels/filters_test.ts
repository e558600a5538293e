import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { assertClose, gpuTest, noise } from "../support/gpu.ts";
import { type Draw, expected, proposeAll } from "../support/propose.ts";

/** A draw of the kept token with the lowest id, and one of that with the highest. */
const ENDS = [0, 1 - 2 ** -22];

function draw(uniform: number, options: Partial<Draw>): Draw {
  return { temperature: 1, topP: 1, topK: 0, uniform, ...options };
}

/**
 * Draws all from the same row, whose mask comes last, and compares with the reference: once where
 * top-p drops the token that crosses it, once where it keeps it.
 */
async function check(gpu: Gpu, row: readonly number[], draws: readonly Draw[]): Promise<void> {
  for (const keepsCrossing of [false, true]) await checkRule(gpu, row, { draws, keepsCrossing });
}

async function checkRule(
  gpu: Gpu,
  row: readonly number[],
  { draws, keepsCrossing }: { draws: readonly Draw[]; keepsCrossing: boolean },
): Promise<void> {
  const logits = [...row, 9];
  const vocabulary = logits.length;
  const mask = vocabulary - 1;
  const rows = Float32Array.from(
    { length: draws.length * vocabulary },
    (_, i) => logits[i % vocabulary]!,
  );
  const proposals = await proposeAll(gpu, rows, { vocabulary, mask, draws, keepsCrossing });
  draws.forEach((draw, i) => {
    const each = { ...draw, keepsCrossing };
    const label = JSON.stringify(each);
    const { token, confidence, entropy } = expected(rows.subarray(0, vocabulary), mask, each);
    assertEquals(proposals[i]!.token, token, label);
    assert(proposals[i]!.isFinite);
    // Sums over as many terms in f32.
    assertClose([proposals[i]!.confidence], [confidence], { tolerance: 1e-4 }, label);
    assertClose([1 + proposals[i]!.entropy], [1 + entropy], { tolerance: 1e-4 }, label);
  });
}

function gaussian(length: number, seed: number): number[] {
  const uniforms = noise(2 * length, seed);
  return Array.from({ length }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log((uniforms[2 * i]! + 1) / 2 + 1e-10));
    return Math.fround(radius * Math.cos(Math.PI * uniforms[2 * i + 1]!));
  });
}

for (const size of [50_257, 262_143]) {
  gpuTest(`propose() filters ${size} normal logits`, async (gpu) => {
    const filters = [
      { topP: 0.9 },
      { topP: 0.5, temperature: 0.5 },
      { topK: 50 },
      { topK: size - 1, topP: 0.3 },
      { topK: 20_000, topP: 0.99 },
    ];
    await check(gpu, gaussian(size, 11), filters.map((each) => draw(0, each)));
  });

  // As a trained network gives them: nuclei of one token, of a few, and deep in the tail.
  gpuTest(`propose() filters ${size} peaked logits`, async (gpu) => {
    const row = gaussian(size, 12);
    for (let rank = 0; rank < 8; rank++) row[(rank * 7919 + 5) % size] = 16 - 1.5 * rank;
    const filters = [0.5, 0.9, 0.99, 0.999, 0.9999].map((topP) => ({ topP }));
    await check(gpu, row, filters.flatMap((each) => [draw(0, each), draw(0.8, each)]));
  });
}

gpuTest("propose() keeps just the tokens for which top-p has room", async (gpu) => {
  const row = [...noise(120, 4)].map((each) => 3 * each);
  const weights = row.map(Math.exp).sort((a, b) => b - a);
  const total = weights.reduce((sum, each) => sum + each, 0);
  let sum = 0;
  // Half way into each token.
  const shares = weights.map((each) => (sum += each) / total - each / total / 2);
  await check(gpu, row, shares.map((topP) => draw(0.5, { topP })));
});

// Both edges lie among more equals than any bracket can lose. The highest kept id tells how many of
// them are kept: so many and a half have room.
for (const edge of [1.25, 0, -3e-40]) {
  gpuTest(`propose() keeps the first of 30000 equals at ${edge}`, async (gpu) => {
    const row = Array.from(
      { length: 50_257 },
      (_, id) => id < 100 ? edge + 3 : id % 5 < 3 ? edge : edge - 1 - id / 1e5,
    );
    const equals = row.filter((each) => each === edge).length;
    const weights = row.map((each) => Math.exp(each - edge));
    const total = weights.reduce((sum, each) => sum + each, 0);
    for (const kept of [0, 1, 1234, equals - 1]) {
      const topP = (100 * Math.exp(3) + kept + 0.5) / total;
      await check(gpu, row, ENDS.map((uniform) => draw(uniform, { topP })));
    }
    await check(gpu, row, ENDS.map((uniform) => draw(uniform, { topK: 101 })));
    await check(gpu, row, ENDS.map((uniform) => draw(uniform, { topK: 101, topP: 0.4 })));
  });
}

gpuTest("propose() keeps the first of nothing but equals", async (gpu) => {
  for (const size of [2, 63, 4096, 50_257]) {
    const row = Array(size).fill(-2.5);
    for (const topP of [0.5 / size, 0.375 + 0.5 / size]) {
      await check(gpu, row, ENDS.map((uniform) => draw(uniform, { topP, topK: size >> 1 })));
    }
  }
});

gpuTest("propose() takes zeros of both signs for equals", async (gpu) => {
  const row = Array.from({ length: 700 }, (_, id) => id % 2 === 0 ? 0 : -0);
  await check(gpu, row, ENDS.map((uniform) => draw(uniform, { topP: 200.5 / 700 })));
});

gpuTest("propose() orders logits whose weights are equal in f32", async (gpu) => {
  // Neighbouring floats, the highest last: `1 + i · 2⁻²³`, and at a temperature of 100 more so.
  const row = Array.from({ length: 300 }, (_, i) => 1 + i * 2 ** -23);
  for (const temperature of [1, 100]) {
    const filters = [{ topP: 149.5 / 300 }, { topK: 77 }, { topK: 77, topP: 0.5 }];
    const draws = filters.flatMap((each) => ENDS.map((u) => draw(u, { ...each, temperature })));
    await check(gpu, row, draws);
  }
});

gpuTest("propose() leaves out what has no weight", async (gpu) => {
  const row = Array(5000).fill(-1e30);
  row[17] = 100;
  await check(gpu, row, [draw(0, { topP: 0.9 }), draw(0.5, { topK: 3 }), draw(0.999, {})]);
  row[4000] = 99;
  row[4999] = 98.5;
  const filters = [{ topP: 0.9 }, { topP: 0.99, topK: 2 }, { topK: 10, topP: 0.9999 }];
  await check(gpu, row, filters.flatMap((each) => ENDS.map((u) => draw(u, each))));
  await check(gpu, row, ENDS.map((u) => draw(u, { temperature: 0.01, topP: 0.999, topK: 2 })));
});

gpuTest("propose() gives a row the same bits in any company", async (gpu) => {
  const vocabulary = 5003;
  const row = Float32Array.from(gaussian(vocabulary, 3));
  const own = draw(0.625, { topP: 0.9 });
  const [alone] = await proposeAll(gpu, row, { vocabulary, mask: 1, draws: [own] });
  const others = noise(2 * vocabulary, 8).map((value) => 30 * value);
  const draws = [draw(0.1, { topK: 9 }), own, draw(0.9, { temperature: 0 })];
  const rows = [...others.subarray(0, vocabulary), ...row, ...others.subarray(vocabulary)];
  const together = await proposeAll(gpu, rows, { vocabulary, mask: 1, draws });
  assertEquals(together[1], alone);
});

gpuTest("propose() keeps the most probable token where it alone crosses top-p", async (gpu) => {
  // Of all tokens it is far less than top-p, of the two that top-k leaves more.
  const row = Array.from({ length: 100 }, (_, id) => id === 7 ? 1 : id === 50 ? 0.9 : -id / 100);
  const filters = [{ topK: 2, topP: 0.3 }, { topK: 2, topP: 0.5 }, { topK: 2, topP: 0.53 }];
  await check(gpu, row, filters.flatMap((each) => ENDS.map((u) => draw(u, each))));
});
