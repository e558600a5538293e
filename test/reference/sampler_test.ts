import { basename } from "@std/path";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { fixtureFolders } from "../support/fixtures.ts";
import { readTrace, type Trace, traceFiles } from "../support/traces.ts";
import { loadNetwork } from "./network.ts";
import { sample, type SampledStep } from "./sampler.ts";

for (const folder of fixtureFolders()) {
  const network = loadNetwork(folder);
  for (const path of traceFiles(folder)) {
    Deno.test(`sample() repeats ${basename(folder)}/${basename(path)} step by step`, () => {
      const trace = readTrace(path);
      const { tokens, nfe, steps } = sample(network, trace);
      for (const [iteration, step] of steps.entries()) checkStep(step, { trace, iteration });
      assertEquals(steps.length, trace.steps.length);
      assertEquals(tokens, trace.tokens);
      assertEquals(nfe, trace.nfe);
    });
  }

  // A short one: without a cache every pass computes all tokens so far.
  const cached = traceFiles(folder).map((path) => readTrace(path))
    .find((trace) => trace.same_tokens_with_and_without_kv_cache && trace.length <= 32);
  if (!cached) continue;
  Deno.test(`sample() gives the same tokens of ${basename(folder)} without a cache`, () => {
    const { tokens } = sample(network, { ...cached, kv_cache: false });
    assertEquals(tokens, cached.tokens);
  });
}

function checkStep(
  step: SampledStep,
  { trace, iteration }: { trace: Trace; iteration: number },
): void {
  const where = `iteration ${iteration}`;
  const { block, i, n_masked, t, x_after } = trace.steps[iteration]!;
  assertEquals([step.block, step.i, step.n_masked], [block, i, n_masked], where);
  // The recording keeps times in f32.
  assertAlmostEquals(step.t, t, 1e-6, where);
  assertEquals(step.x_after, x_after, where);
  if (trace.sampler === "first_hitting") {
    const recorded = trace.steps[iteration]!;
    assertEquals([step.index, step.pos], [recorded.index, recorded.pos], where);
    assertEquals(step.x_after[step.pos!], recorded.token, where);
  } else {
    const recorded = trace.steps[iteration]!;
    assertEquals(step.reused, recorded.reused_p_x0, where);
    // Close to t = 0 the f32 quotient of the recording is less exact.
    assertAlmostEquals(step.mask_prob!, recorded.mask_prob, 1e-4, where);
  }
}
