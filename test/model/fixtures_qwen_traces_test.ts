import { basename } from "@std/path";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { TokenDetails } from "../../kernels/mod.ts";
import { fixtureFolders } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";
import { loadQwenNetwork } from "../support/qwen.ts";
import { type PlayedRun, type PlayedStep, playQwenTrace } from "../support/qwen_trace_player.ts";
import {
  lengthOf,
  type QwenTrace,
  type QwenTraceStep,
  readQwenTrace,
  stopsOf,
} from "../support/qwen_traces.ts";
import { traceFiles } from "../support/traces.ts";

/** Positions that the plan should have heads for. */
function plannedIn({ strategy }: QwenTrace, { pos, transfer }: QwenTraceStep): readonly number[] {
  return strategy === "sequential" ? transfer : pos;
}

/** Where draws are from the model's own distribution, or greedy, the confidence is p in it. */
function checkLikelihood(
  { logprob, top }: TokenDetails,
  drawn: { readonly token: number; readonly confidence: number; readonly trace: QwenTrace },
): void {
  const { token, confidence, trace: { temperature, top_p: topP, top_k: topK = 0 } } = drawn;
  const p = Math.exp(logprob);
  if (temperature === 0 || (temperature === 1 && topP === 1 && topK === 0)) {
    assertAlmostEquals(p, confidence, 1e-4);
  }
  if (temperature === 0) assertEquals(top[0], { token, logprob });
  const sum = top.reduce((total, each) => total + Math.exp(each.logprob), 0);
  assert(sum <= 1 + 1e-5 && p <= Math.exp(top[0]!.logprob), `${sum}, ${p}`);
}

function checkStep(
  played: PlayedStep,
  recorded: QwenTraceStep,
  { trace, pass }: { trace: QwenTrace; pass: number },
): void {
  const where = `pass ${pass}`;
  const { x, x_after, step, token, transfer, confidence, entropy } = recorded;
  assertEquals([played.step, played.x], [step, x], where);
  if (trace.strategy === "random") {
    assertEquals(played.planned.length, transfer.length, where);
  } else {
    assertEquals(played.planned, plannedIn(trace, recorded), where);
  }
  const shift = trace.family === "fast-dllm-v2" ? 1 : 0;
  assertEquals(played.rows, played.planned.map((offset) => Math.max(0, offset - shift)), where);
  assertEquals(played.token, token, where);
  played.confidence.forEach((each, i) => {
    assertAlmostEquals(each, confidence[i]!, 1e-4, where);
  });
  // The recordings tell of all masks; the product of those that it draws for.
  const told = played.details.flatMap((details, i) => details === null ? [] : [{ details, i }]);
  assertEquals(told.length, played.planned.length, where);
  for (const { details, i } of told) {
    if (entropy) assertAlmostEquals(details.entropy, entropy[i]!, 1e-3, where);
    checkLikelihood(details, { token: token[i]!, confidence: confidence[i]!, trace });
  }
  assertEquals([played.transfer, played.x_after], [transfer, x_after], where);
}

/** The generated tokens up to the first stop token or the length, and why they end. */
function outputOf(run: PlayedRun, trace: QwenTrace) {
  const { prompt } = trace;
  const generated = run.tokens.slice(prompt.length, prompt.length + lengthOf(trace));
  const stop = generated.findIndex((token) => stopsOf(trace).includes(token));
  return stop < 0
    ? { output: generated, reason: "length" }
    : { output: generated.slice(0, stop + 1), reason: "stop" };
}

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  for (const path of traceFiles(folder)) {
    const name = `${basename(folder)}/${basename(path, ".json")}`;
    gpuTest(`${name} is repeated step by step, token for token`, async (gpu) => {
      const trace = readQwenTrace(path);
      using network = loadQwenNetwork(gpu, folder);
      const run = await playQwenTrace(gpu, network, trace);
      trace.steps.forEach((step, pass) => checkStep(run.steps[pass]!, step, { trace, pass }));
      assertEquals(run.steps.length, trace.nfe);
      assertEquals(run.seeds, trace.seeds ?? []);
      const { output, reason } = outputOf(run, trace);
      assertEquals([output, reason], [trace.output, trace.finish_reason]);
      // The commit of the last block is of no use where nothing is drawn from it.
      const isUseless = trace.family === "sdar";
      assertEquals(run.commits, trace.commits - (isUseless ? 1 : 0));
      assertEquals(run.tokens.slice(0, trace.prompt.length), trace.prompt);
      assertEquals(run.tokens.slice(0, trace.tokens.length), trace.tokens);
    });
  }
}
