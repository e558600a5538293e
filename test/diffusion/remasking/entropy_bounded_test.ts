import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { entropyBounded } from "../../../src/diffusion/remasking/entropy_bounded.ts";

const MASK = 9;

function reveal(
  tokens: number[],
  entropy: number[],
  { bound, quota }: { bound: number; quota: number },
): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence: [], entropy };
  const options = { strategy: "entropy_bounded", entropy_bound: bound } as const;
  const step = { step: 0, quota, order: [], ...options };
  return entropyBounded(new Block(tokens, MASK), proposal, step).tokens;
}

const ALL = [MASK, MASK, MASK, MASK];

Deno.test("entropyBounded() reveals by rising entropy while the sum stays below the bound", () => {
  // By rising entropy 0.25, 0.5, 1, 2: sums 0.25, 0.75, 1.75, 3.75.
  const entropy = [1, 0.25, 2, 0.5];
  assertEquals(reveal(ALL, entropy, { bound: 1, quota: 1 }), [MASK, 2, MASK, 4]);
  assertEquals(reveal(ALL, entropy, { bound: 1.76, quota: 1 }), [1, 2, MASK, 4]);
  assertEquals(reveal(ALL, entropy, { bound: 100, quota: 1 }), [1, 2, 3, 4]);
});

Deno.test("entropyBounded() stops at a sum that equals the bound", () => {
  assertEquals(reveal(ALL, [1, 0.25, 2, 0.5], { bound: 0.75, quota: 1 }), [MASK, 2, MASK, MASK]);
});

Deno.test("entropyBounded() meets the quota where the budget allows less", () => {
  assertEquals(reveal(ALL, [3, 3, 3, 2], { bound: 0.1, quota: 1 }), [MASK, MASK, MASK, 4]);
  assertEquals(reveal(ALL, [3, 3, 3, 2], { bound: 0.1, quota: 3 }), [1, 2, MASK, 4]);
});

Deno.test("entropyBounded() reveals everything that is certain", () => {
  assertEquals(reveal([7, MASK, MASK, 7], [9, 0, 0, 9], { bound: 0.01, quota: 1 }), [7, 2, 3, 7]);
});

Deno.test("entropyBounded() does not spend its budget on revealed positions", () => {
  assertEquals(reveal([7, MASK, 7, MASK], [5, 1, 5, 1], { bound: 2.5, quota: 1 }), [7, 2, 7, 4]);
});
