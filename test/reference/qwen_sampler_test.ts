import { basename, join } from "@std/path";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { commonFolder, fixtureFolders, readJson } from "../support/fixtures.ts";
import {
  lengthOf,
  type QwenTrace,
  type QwenTraceStep,
  readQwenTrace,
  stopsOf,
  uniformFor,
} from "../support/qwen_traces.ts";
import { traceFiles } from "../support/traces.ts";
import { loadQwenReference } from "./qwen_network.ts";
import { type QwenRun, type QwenStep, type Rule, sampleQwen, transfer } from "./qwen_sampler.ts";

/** The recorded strategy; with a threshold alone at least one token a pass. */
function ruleOf(trace: QwenTrace): Rule {
  const { strategy, threshold, entropy_bound: bound, sub_block_size, steps_per_block } = trace;
  const steps = steps_per_block ?? sub_block_size ?? 1;
  switch (strategy) {
    case "threshold":
    case "low_confidence_dynamic":
      return { strategy: "low_confidence_dynamic", steps, threshold: threshold! };
    case "entropy_bounded":
      return { strategy, bound: bound! };
    default:
      return { strategy, steps };
  }
}

/** What a trace describes: its settings and its uniforms, never its tokens. */
function runOf(trace: QwenTrace): QwenRun {
  const stepOf = (pass: number): QwenTraceStep => {
    const step = trace.steps[pass];
    if (step) return step;
    throw new RangeError(`Cannot replay: the trace has ${trace.steps.length} passes`);
  };
  return {
    prompt: trace.prompt,
    maxTokens: lengthOf(trace),
    blockSize: trace.block_size,
    subBlockSize: trace.sub_block_size ?? trace.block_size,
    rule: ruleOf(trace),
    temperature: trace.temperature,
    topK: trace.top_k ?? 0,
    topP: trace.top_p,
    mask: trace.mask,
    bansMask: trace.mask_banned,
    stopTokens: stopsOf(trace),
    shifts: trace.family === "fast-dllm-v2",
    uniform: ({ pass, offset }) => uniformFor(stepOf(pass), offset, trace),
    rank: ({ pass, offset }) => stepOf(pass).u_rank![offset]!,
  };
}

function checkStep(actual: QwenStep, recorded: QwenTraceStep, where: string): void {
  const { block, step, x, pos, transfer, x_after } = recorded;
  assertEquals([actual.block, actual.step], [block, step], where);
  if (recorded.sub_block !== undefined) assertEquals(actual.sub_block, recorded.sub_block, where);
  assertEquals([actual.x, actual.pos, actual.transfer], [x, pos, transfer], where);
  assertEquals(actual.drawn.map(({ token }) => token), recorded.token, where);
  // The recording's logits are f32.
  actual.drawn.forEach(({ confidence, entropy }, i) => {
    assertAlmostEquals(confidence, recorded.confidence[i]!, 2e-5, where);
    if (recorded.entropy) assertAlmostEquals(entropy, recorded.entropy[i]!, 1e-4, where);
  });
  assertEquals(actual.x_after, x_after, where);
}

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  for (const path of traceFiles(folder)) {
    Deno.test(`sampleQwen() repeats ${basename(folder)}/${basename(path)} step by step`, () => {
      const trace = readQwenTrace(path);
      const { steps, seeds, commits, output, finishReason } = sampleQwen(
        loadQwenReference(folder),
        runOf(trace),
      );
      trace.steps.forEach((step, i) => checkStep(steps[i]!, step, `pass ${i}`));
      assertEquals(steps.length, trace.nfe);
      assertEquals(seeds, trace.seeds ?? []);
      assertEquals(output, trace.output);
      assertEquals([finishReason, commits], [trace.finish_reason, trace.commits]);
    });
  }
}

interface SelectCase {
  readonly strategy: Exclude<QwenTrace["strategy"], "threshold">;
  readonly masked: readonly number[];
  readonly confidence: readonly number[];
  readonly entropy: readonly number[];
  readonly u_rank: readonly number[];
  readonly n: number;
  readonly threshold: number;
  readonly entropy_bound: number;
  readonly transfer: readonly number[];
}

Deno.test("transfer() decides what the originals decide", () => {
  const cases = readJson(join(commonFolder("qwen-common"), "select.json")) as SelectCase[];
  for (const [i, each] of cases.entries()) {
    const { strategy, threshold, entropy_bound: bound, confidence, entropy, n: quota } = each;
    const positions = [...each.masked.keys()].filter((at) => each.masked[at]);
    const drawn = positions.map((at) => ({ confidence: confidence[at]!, entropy: entropy[at]! }));
    const ranks = positions.map((at) => each.u_rank[at]!);
    const rule = { strategy, threshold, bound, steps: 1 } as Rule; // Each takes what it has.
    const chosen = transfer(rule, { drawn, ranks, quota }).map((at) => positions[at]!);
    assertEquals(chosen, each.transfer, `case ${i}, ${strategy}`);
  }
});
