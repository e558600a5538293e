import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { random } from "../../../src/diffusion/remasking/random.ts";

const MASK = 9;

function reveal(tokens: number[], order: number[], quota: number): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence: [], entropy: [] };
  return random(new Block(tokens, MASK), proposal, { step: 0, quota, order }).tokens;
}

Deno.test("random() reveals the masks with the largest numbers, as many as the quota", () => {
  assertEquals(reveal([MASK, MASK, MASK, MASK], [0.1, 0.9, 0.3, 0.5], 1), [MASK, 2, MASK, MASK]);
  assertEquals(reveal([MASK, MASK, MASK, MASK], [0.1, 0.9, 0.3, 0.5], 3), [MASK, 2, 3, 4]);
});

Deno.test("random() passes over what is revealed, and takes the leftmost of equals", () => {
  assertEquals(reveal([MASK, 7, MASK, MASK], [0.1, 0.9, 0.3, 0.5], 1), [MASK, 7, MASK, 4]);
  assertEquals(reveal([MASK, MASK, MASK, MASK], [0, 0.5, 0.5, 0.5], 2), [MASK, 2, 3, MASK]);
});

Deno.test("random() reveals no more than there are, and nothing for a quota of 0", () => {
  assertEquals(reveal([7, 7, 7, MASK], [0.1, 0.9, 0.3, 0.5], 4), [7, 7, 7, 4]);
  assertEquals(reveal([MASK, 7, 7, 7], [0.1, 0.9, 0.3, 0.5], 0), [MASK, 7, 7, 7]);
});
