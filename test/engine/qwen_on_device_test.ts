import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { uniformAt } from "../../src/diffusion/random.ts";
import type { StrategyOptions } from "../../src/diffusion/remasking/mod.ts";
import type { Reveal, SequenceRequest } from "../../src/engine/request.ts";
import { loadQwenReference } from "../reference/qwen_network.ts";
import {
  type QwenRun,
  type QwenSampled,
  type Rule,
  sampleQwen,
} from "../reference/qwen_sampler.ts";
import { largest } from "../reference/reveal.ts";
import { DeviceEngine, type Outcome, requestOf } from "../support/device_engine.ts";
import { fixtureFolders, readJson } from "../support/fixtures.ts";
import { gpuTest, noise } from "../support/gpu.ts";
import { optionsOf } from "../support/qwen_trace_player.ts";
import { readQwenTrace } from "../support/qwen_traces.ts";
import { traceFiles } from "../support/traces.ts";

/** What the recordings say of a model. */
interface Meta {
  readonly vocab_size: number;
  readonly block_size: number;
  readonly mask: number;
  readonly stop: readonly number[];
}

const STRATEGIES: readonly StrategyOptions[] = [
  { strategy: "sequential", steps: 3 },
  { strategy: "random" },
  { strategy: "low_confidence_static", steps: 2 },
  { strategy: "low_confidence_dynamic", threshold: 0.4 },
  { strategy: "entropy_bounded", entropy_bound: 1.5 },
];

/** Requests that differ in everything that may differ, prompts of whole blocks and none included. */
function requestsOf(
  { vocab_size: ids, block_size: size, mask, stop }: Meta,
  count: number,
): SequenceRequest[] {
  const tokens = Array.from({ length: ids }, (_, id) => id).filter((id) => id !== mask);
  return Array.from({ length: count }, (_, i) => {
    const length = [size, 0, 2 * size + 1, 3, 3 * size, 2 * size - 1][i % 6]!;
    return requestOf(
      Array.from(noise(length, i), (value) => tokens[Math.floor((value + 1) / 2.001 * (ids - 1))]!),
      {
        maxTokens: 2 * size + i % (2 * size),
        blockSize: size,
        ...(i % 4 < 2 && size % 2 === 0 && { subBlockSize: size / 2 }),
        strategy: STRATEGIES[i % STRATEGIES.length]!,
        temperature: [1, 0.7, 0][i % 3]!,
        topP: [1, 0.9][i % 2]!,
        topK: [0, 20][Math.floor(i / 2) % 2]!,
        seed: 1000 + i,
        choice: i % 2,
        // As many as there may be: one in twenty tokens ends it.
        stopTokens: i % 2 === 0 ? stop : tokens.slice(0, 4),
      },
    );
  });
}

/** The reference's run of a request: its numbers are those of the request's seed. */
function runOf(request: SequenceRequest, { mask }: Meta, shifts: boolean): QwenRun {
  const { seed, choice, blockSize, subBlockSize = blockSize, strategy } = request;
  const uniform = (stream: "token" | "order") => (at: { position: number; nfe: number }) =>
    uniformAt(seed, { choice, stream, position: at.position, step: at.nfe });
  const { prompt, maxTokens, temperature, topK, topP, stopTokens } = request;
  return {
    ...{ prompt, maxTokens, blockSize, subBlockSize, temperature, topK, topP, mask, stopTokens },
    rule: ruleOf(strategy, subBlockSize),
    bansMask: true,
    shifts,
    uniform: uniform("token"),
    rank: uniform("order"),
  };
}

function ruleOf(options: StrategyOptions, size: number): Rule {
  switch (options.strategy) {
    case "sequential":
    case "random":
    case "low_confidence_static":
      return { strategy: options.strategy, steps: options.steps ?? size };
    case "low_confidence_dynamic":
      return { ...options, steps: options.steps ?? size };
    case "entropy_bounded":
      return { strategy: options.strategy, bound: options.entropy_bound };
    default:
      throw new TypeError(`Cannot sample by ${options.strategy}: the reference does not`);
  }
}

/** Whether entropies decide that are all the same: where there is nothing but masks. */
function isDecidedByRounding({ prompt, strategy: { strategy } }: SequenceRequest): boolean {
  return prompt.length === 0 && strategy === "entropy_bounded";
}

/** Whether quotas with these steps are the reference's: those by the masks left may differ. */
function hasSchedule({ strategy }: SequenceRequest, shifts: boolean): boolean {
  return !shifts || !("steps" in strategy) || strategy.steps === undefined;
}

function endOf({ events }: Outcome) {
  const last = events.at(-1);
  assert(last?.type === "end");
  return last;
}

function sumOf({ events }: Outcome, of: "nfe" | "steps"): number {
  return events.reduce((sum, each) => sum + (each.type === "block" ? each[of] : 0), 0);
}

for (const folder of [...fixtureFolders("sdar"), ...fixtureFolders("fast_dllm")]) {
  // Files of the recorder, and of the hub's layout.
  const meta = {
    ...readJson(`${folder}/config.json`)!,
    ...readJson(`${folder}/meta.json`)!,
  } as Meta;
  const shifts = fixtureFolders("fast_dllm").includes(folder);
  const name = basename(folder);

  // What was drawn, or ranked, at random was not by a seed.
  const traces = traceFiles(folder).map(readQwenTrace).filter((trace) =>
    trace.temperature === 0 && trace.mask_banned && trace.strategy !== "random"
  );
  if (traces.length === 0) throw new RangeError(`Cannot compare: "${folder}" has no greedy trace`);

  gpuTest(`the engine's greedy text of ${name} is that of the recordings`, async (gpu) => {
    await using engine = await DeviceEngine.open(gpu, folder, { slots: traces.length });
    const requests = traces.map((trace) => requestOf([], optionsOf(trace)));
    const outcomes = await engine.generate(requests);
    for (const [i, { output, nfe, seeds, finish_reason, prefill }] of traces.entries()) {
      const outcome = outcomes[i]!;
      const end = endOf(outcome);
      assertEquals(outcome.tokens, output);
      assertEquals([sumOf(outcome, "nfe"), sumOf(outcome, "steps")], [nfe, nfe]);
      assertEquals(end.reason, finish_reason === "stop" ? "eos" : "length");
      // Each seed takes a pass; so does the prompt, where it is not the first one's companion.
      const passes = end.passes - nfe - (seeds?.length ?? 0);
      assert(passes === 0 || (passes > 0 && prefill > 0), `${passes} more passes`);
    }
  });

  gpuTest(`the engine counts the passes of ${name} that only commit`, async (gpu) => {
    const trace = traces[0]!; // There is one at least.
    await using engine = await DeviceEngine.open(gpu, folder, { slots: 1 });
    await engine.generate([requestOf([], { ...optionsOf(trace), trace: true })]);
    // The prompt's rows ride along with the first pass, and other commits with a step.
    assertEquals(engine.passes.commit, trace.seeds?.length ?? 0);
    assert(engine.passes.denoise >= trace.nfe);
  });

  gpuTest(`the engine samples ${name} as the reference does, whatever the request`, async (gpu) => {
    const requests = requestsOf(meta, 60)
      .filter((each) => hasSchedule(each, shifts) && !isDecidedByRounding(each))
      .map((each) => ({ ...each, isDetailed: true, tellsReveals: true }));
    await using engine = await DeviceEngine.open(gpu, folder, { slots: 16 });
    const network = loadQwenReference(folder);
    const outcomes = await engine.generate(requests);
    const reasons = new Set<string>();
    for (const [i, request] of requests.entries()) {
      const expected = sampleQwen(network, runOf(request, meta, shifts));
      const label = JSON.stringify(request);
      assertEquals(outcomes[i]!.tokens, expected.output, label);
      // Where there is nothing but masks, rounding decides which of them falls first.
      if (request.prompt.length > 0) checkReveals(outcomes[i]!, expected, request);
      const { reason } = endOf(outcomes[i]!);
      assertEquals(reason, expected.finishReason === "stop" ? "eos" : "length", label);
      reasons.add(reason);
    }
    assertEquals([...reasons].sort(), ["eos", "length"]);
  });

  gpuTest(`a sequence of ${name} is the same alone, among others and step by step`, async (gpu) => {
    // What some ask for beside changes nothing for them nor for the others.
    const requests = requestsOf(meta, 24).map((each, i) =>
      i % 3 === 0 ? { ...each, isDetailed: true, tellsReveals: true } : each
    );
    await using engine = await DeviceEngine.open(gpu, folder, { slots: 8 });
    const together = await engine.generate(requests);
    const traced = await engine.generate(requests.map((each) => ({ ...each, trace: true })));
    for (const [i, request] of requests.entries()) {
      const [alone] = await engine.generate([request]);
      const label = JSON.stringify(request);
      assertEquals(alone!.tokens, together[i]!.tokens, label);
      assertEquals(revealsOf(alone!), revealsOf(together[i]!), label);
      assertEquals(revealsOf(traced[i]!), revealsOf(alone!), label);
      assertEquals(traced[i]!.tokens, alone!.tokens, label);
      assertEquals(endOf(traced[i]!).reason, endOf(alone!).reason, label);
      assertEquals(sumOf(traced[i]!, "nfe"), sumOf(alone!, "nfe"), label);
      assert(!alone!.tokens.includes(meta.mask), label);
      checkSteps(traced[i]!);
    }
  });
}

function revealsOf({ events }: Outcome): Reveal[] {
  return events.flatMap((each) => each.type === "block" ? each.reveals ?? [] : []);
}

/** Checks how tokens fell against the reference's steps: in f32 from logits in f32. */
function checkReveals(outcome: Outcome, run: QwenSampled, request: SequenceRequest): void {
  const { prompt, blockSize } = request;
  const reveals = revealsOf(outcome);
  assertEquals(reveals.length, outcome.tokens.length);
  const seeds = [...run.seedsDrawn];
  reveals.forEach(({ step, confidence, details }, i) => {
    const position = prompt.length + i;
    const offset = position % blockSize;
    const ofBlock = run.steps.filter(({ block }) => block === Math.floor(position / blockSize));
    const at = ofBlock.findIndex(({ transfer }) => transfer.includes(offset));
    // What no step writes comes from the commit before.
    const drawn = at < 0 ? seeds.shift()! : ofBlock[at]!.drawn[ofBlock[at]!.pos.indexOf(offset)]!;
    assertEquals([step, drawn.token], [at + 1, outcome.tokens[i]!]);
    assertAlmostEquals(confidence, drawn.confidence, 1e-3);
    assert(details);
    assertAlmostEquals(details.entropy, drawn.entropy, 1e-3);
    assertAlmostEquals(details.logprob, drawn.logP[drawn.token]!, 1e-3);
    const expected = largest(drawn.logP, 5);
    assertEquals(details.top.length, expected.length);
    details.top.forEach(({ token, logprob }, rank) => {
      assertAlmostEquals(logprob, expected[rank]!.logprob, 1e-3);
      assertAlmostEquals(logprob, drawn.logP[token]!, 1e-3);
    });
  });
}

/** Checks that the steps of every block together reveal its tokens, each once. */
function checkSteps({ events }: Outcome): void {
  for (const block of events) {
    if (block.type !== "block") continue;
    const steps = events.filter((each) => each.type === "step" && each.block === block.index)
      .flatMap((each) => each.type === "step" ? [each] : []);
    const revealed = steps.flatMap((step) =>
      step.revealed.map((i, at) => {
        const confidence = step.confidence[at]!;
        assert(confidence > 0 && confidence <= 1, `confidence is ${confidence}`);
        return [i, step.tokens[i]] as const;
      })
    );
    const byPlace = new Map(revealed);
    assertEquals(byPlace.size, revealed.length);
    assertEquals(block.tokens.map((_, i) => byPlace.get(i)), [...block.tokens]);
  }
}
