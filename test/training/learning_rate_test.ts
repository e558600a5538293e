import { assertAlmostEquals, assertEquals } from "@std/assert";
import { learningRate } from "../../src/training/learning_rate.ts";

const SCHEDULE = { peak: 0.5, warmUp: 10, updates: 110, decay: "none" } as const;

Deno.test("learningRate() rises to its peak and stays", () => {
  const rates = [1, 5, 10, 11, 110, 500].map((update) => learningRate(update, SCHEDULE));
  assertEquals(rates, [0.05, 0.25, 0.5, 0.5, 0.5, 0.5]);
});

Deno.test("learningRate() falls to zero at the end", () => {
  const linear = { ...SCHEDULE, decay: "linear" } as const;
  assertEquals([10, 60, 110, 111].map((update) => learningRate(update, linear)), [0.5, 0.25, 0, 0]);
  const cosine = { ...SCHEDULE, decay: "cosine" } as const;
  assertAlmostEquals(learningRate(35, cosine), 0.5 * (1 + Math.SQRT1_2) / 2, 1e-12);
  assertAlmostEquals(learningRate(110, cosine), 0, 1e-12);
});

Deno.test("learningRate() without a warm-up begins at its peak", () => {
  assertEquals(learningRate(1, { ...SCHEDULE, warmUp: 0 }), 0.5);
});
