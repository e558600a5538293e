import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { firstHitting } from "../../../src/diffusion/remasking/first_hitting.ts";

const MASK = 9;

function reveal(tokens: number[], order: number[]): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence: [], entropy: [] };
  return firstHitting(new Block(tokens, MASK), proposal, { step: 0, quota: 1, order }).tokens;
}

Deno.test("firstHitting() reveals the only masked position", () => {
  assertEquals(reveal([7, MASK, 7, 7], [0.1, 0.9, 0.2, 0.3]), [7, 2, 7, 7]);
});

Deno.test("firstHitting() reveals the masked position with the smallest number", () => {
  assertEquals(reveal([MASK, MASK, MASK, MASK], [0.5, 0.25, 0.75, 0]), [MASK, MASK, MASK, 4]);
  // The smallest of all is known already.
  assertEquals(reveal([MASK, MASK, MASK, 4], [0.5, 0.25, 0.75, 0]), [MASK, 2, MASK, 4]);
});

Deno.test("firstHitting() takes the leftmost of equals", () => {
  assertEquals(reveal([7, MASK, MASK, MASK], [0, 0.5, 0.5, 0.5]), [7, 2, MASK, MASK]);
});

Deno.test("firstHitting() leaves a clean block as it is", () => {
  assertEquals(reveal([7, 7, 7, 7], [0, 0, 0, 0]), [7, 7, 7, 7]);
});
