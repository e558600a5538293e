import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { sequential } from "../../../src/diffusion/remasking/sequential.ts";

const MASK = 9;

function reveal(tokens: number[], quota: number): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence: [], entropy: [] };
  return sequential(new Block(tokens, MASK), proposal, { step: 0, quota, order: [] }).tokens;
}

Deno.test("sequential() reveals the leftmost masked positions, as many as the quota", () => {
  assertEquals(reveal([MASK, MASK, MASK, MASK], 1), [1, MASK, MASK, MASK]);
  assertEquals(reveal([MASK, 7, MASK, MASK], 2), [1, 7, 3, MASK]);
  assertEquals(reveal([7, MASK, MASK, MASK], 3), [7, 2, 3, 4]);
});

Deno.test("sequential() reveals no more than there are, and nothing for a quota of 0", () => {
  assertEquals(reveal([7, 7, 7, MASK], 4), [7, 7, 7, 4]);
  assertEquals(reveal([MASK, 7, 7, 7], 0), [MASK, 7, 7, 7]);
});
