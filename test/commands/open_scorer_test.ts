import { assertRejects } from "@std/assert";
import { resolve } from "@std/path";
import { UsageError } from "../../src/commands/flags.ts";
import { openScorer } from "../../src/commands/open_scorer.ts";

Deno.test("openScorer() refuses a family that has no bound on the likelihood", async () => {
  const model = resolve(import.meta.dirname!, "../fixtures/fastdllm-tiny");
  await assertRejects(
    () => openScorer({ model, weights: null }),
    UsageError,
    "Cannot score with fastdllm-tiny",
  );
});
