import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { lowConfidenceDynamic } from "../../../src/diffusion/remasking/low_confidence_dynamic.ts";

const MASK = 9;

function reveal(
  tokens: number[],
  confidence: number[],
  { threshold, quota }: { threshold: number; quota: number },
): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence, entropy: [] };
  const step = {
    step: 0,
    quota,
    order: [],
    strategy: "low_confidence_dynamic",
    threshold,
  } as const;
  return lowConfidenceDynamic(new Block(tokens, MASK), proposal, step).tokens;
}

const ALL = [MASK, MASK, MASK, MASK];

Deno.test("lowConfidenceDynamic() reveals all positions above the threshold", () => {
  const limits = { threshold: 0.4, quota: 1 };
  assertEquals(reveal(ALL, [0.2, 0.9, 0.1, 0.5], limits), [MASK, 2, MASK, 4]);
});

Deno.test("lowConfidenceDynamic() takes above to be strict", () => {
  const limits = { threshold: 0.5, quota: 1 };
  assertEquals(reveal(ALL, [0.5, 0.9, 0.5, 0.5], limits), [MASK, 2, MASK, MASK]);
});

Deno.test("lowConfidenceDynamic() meets the quota when few positions are sure", () => {
  const limits = { threshold: 1, quota: 2 };
  assertEquals(reveal(ALL, [0.2, 0.9, 0.1, 0.5], limits), [MASK, 2, MASK, 4]);
});

Deno.test("lowConfidenceDynamic() fills the quota with the leftmost of equals", () => {
  const limits = { threshold: 0.9, quota: 2 };
  assertEquals(reveal([7, MASK, MASK, MASK], [1, 0.5, 0.5, 0.5], limits), [7, 2, 3, MASK]);
});

Deno.test("lowConfidenceDynamic() never touches a revealed position", () => {
  const limits = { threshold: 0.4, quota: 4 };
  assertEquals(reveal([7, MASK, 7, 7], [1, 0.1, 1, 1], limits), [7, 2, 7, 7]);
});
