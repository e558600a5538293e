import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { lowConfidenceStatic } from "../../../src/diffusion/remasking/low_confidence_static.ts";

const MASK = 9;

function reveal(tokens: number[], confidence: number[], quota: number): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence, entropy: [] };
  const block = new Block(tokens, MASK);
  return lowConfidenceStatic(block, proposal, { step: 0, quota, order: [] }).tokens;
}

Deno.test("lowConfidenceStatic() reveals the quota's most confident positions", () => {
  const confidence = [0.2, 0.9, 0.1, 0.5];
  assertEquals(reveal([MASK, MASK, MASK, MASK], confidence, 1), [MASK, 2, MASK, MASK]);
  assertEquals(reveal([MASK, MASK, MASK, MASK], confidence, 3), [1, 2, MASK, 4]);
});

Deno.test("lowConfidenceStatic() looks at masked positions alone", () => {
  assertEquals(reveal([MASK, 7, MASK, MASK], [0.2, 1, 0.1, 0.5], 1), [MASK, 7, MASK, 4]);
});

Deno.test("lowConfidenceStatic() takes the leftmost of equals", () => {
  assertEquals(reveal([7, MASK, MASK, MASK], [0, 0.5, 0.5, 0.5], 2), [7, 2, 3, MASK]);
});

Deno.test("lowConfidenceStatic() reveals no more than there are", () => {
  assertEquals(reveal([7, 7, 7, MASK], [1, 1, 1, 0], 4), [7, 7, 7, 4]);
});
