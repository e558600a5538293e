import { assertEquals } from "@std/assert";
import { Block } from "../../../src/diffusion/block.ts";
import { ancestral, fallStep } from "../../../src/diffusion/remasking/ancestral.ts";

const MASK = 9;

function reveal(tokens: number[], order: number[], steps = 4): readonly number[] {
  const proposal = { tokens: [1, 2, 3, 4], confidence: [], entropy: [] };
  const options = { strategy: "ancestral", steps, step: 0, quota: 1, order } as const;
  return ancestral(new Block(tokens, MASK), proposal, options).tokens;
}

Deno.test("fallStep() divides [0, 1) evenly among the steps", () => {
  assertEquals([0, 0.24, 0.25, 0.5, 0.74, 0.75].map((u) => fallStep(u, 4)), [0, 0, 1, 2, 2, 3]);
  assertEquals(fallStep(0.999, 1), 0);
});

Deno.test("fallStep() of the largest number is the last step", () => {
  const largest = 1 - 2 ** -24;
  for (let steps = 1; steps <= 1024; steps++) assertEquals(fallStep(largest, steps), steps - 1);
});

Deno.test("ancestral() reveals all masks of the first step in which any falls", () => {
  // Steps 3, 1, 2 and 1 of four.
  const order = [0.75, 0.25, 0.5, 0.3];
  assertEquals(reveal([MASK, MASK, MASK, MASK], order), [MASK, 2, MASK, 4]);
  assertEquals(reveal([MASK, 2, MASK, 4], order), [MASK, 2, 3, 4]);
  assertEquals(reveal([MASK, 2, 3, 4], order), [1, 2, 3, 4]);
});

Deno.test("ancestral() with one step reveals everything", () => {
  assertEquals(reveal([MASK, 7, MASK, MASK], [0, 0.2, 0.5, 0.99], 1), [1, 7, 3, 4]);
});

Deno.test("ancestral() leaves a clean block as it is", () => {
  assertEquals(reveal([7, 7, 7, 7], [0, 0, 0, 0]), [7, 7, 7, 7]);
});
