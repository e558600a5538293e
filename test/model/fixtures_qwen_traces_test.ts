import { basename } from "@std/path";
import { assertAlmostEquals, assertEquals } from "@std/assert";
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
    if (entropy) assertAlmostEquals(played.entropy[i]!, entropy[i]!, 1e-3, where);
  });
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
