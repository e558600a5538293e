import { assertEquals } from "@std/assert";
import { countRun, observeAll, traceRun } from "../../src/server/observers.ts";
import type { ObservedRun } from "../../src/server/parts.ts";
import type { RunObserver } from "../../src/server/run.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import type { SpanDetails } from "../../src/telemetry/tracing.ts";
import { readExposition } from "../support/prometheus.ts";

const run: ObservedRun = {
  model: "m",
  submittedMs: 1000,
  nowMs: () => 1900,
  request: {
    prompt: [1, 2, 3],
    maxTokens: 8,
    blockSize: 4,
    strategy: { strategy: "first_hitting" },
    temperature: 1,
    topP: 1,
    topK: 0,
    seed: 0,
    choice: 0,
    stopTokens: [],
    minEntropy: 0,
    trace: false,
  },
};

/** A block of `tokens` tokens whose text nobody may pass on. */
function block(index: number, tokens: number) {
  return {
    index,
    position: 3 + 4 * index,
    tokens: new Array(tokens).fill(7),
    text: "my secret",
    steps: 3,
    nfe: 2,
    ms: 100,
  };
}

Deno.test("countRun() counts a prompt once, however many choices it has", async () => {
  const metrics = new Metrics({ version: "1", startMs: 0, codes: [] });
  for (const choice of [0, 1, 2]) {
    countRun(metrics, { ...run, request: { ...run.request, choice } });
  }
  const { value } = readExposition(
    await metrics.render({ models: [], lagMs: 0, residentBytes: 0 }),
  );
  assertEquals(value("bd_sequences_started_total", { model: "m" }), 3);
  assertEquals(value("bd_prompt_tokens_total", { model: "m" }), 3);
});

Deno.test("countRun() takes the first block's time from submission, all others' from the last", async () => {
  const metrics = new Metrics({ version: "1", startMs: 0, codes: [] });
  const observer = countRun(metrics, run);
  observer.admitted(50);
  observer.prefilled(30);
  observer.block(block(0, 4), 400);
  observer.block(block(1, 1), 500);
  observer.ended("cancelled");
  const { value } = readExposition(
    await metrics.render({ models: [], lagMs: 0, residentBytes: 0 }),
  );
  assertEquals(value("bd_queue_wait_seconds_sum", { model: "m" }), 0.05);
  assertEquals(value("bd_time_to_first_block_seconds_sum", { model: "m" }), 0.4);
  assertEquals(value("bd_block_duration_seconds_sum", { model: "m" }), 0.2);
  assertEquals(value("bd_completion_tokens_total", { model: "m" }), 5);
  assertEquals(value("bd_denoising_steps_total", { model: "m" }), 6);
  const cancelled = { model: "m", finish_reason: "cancelled" };
  assertEquals(value("bd_sequences_total", cancelled), 1);
});

/** Follows a run; the spans that were recorded, times first. */
function traced(follow: (observer: RunObserver) => void) {
  const spans: [string, number, number, SpanDetails["attributes"]][] = [];
  follow(traceRun((name, { beginMs, endMs, attributes }) => {
    const { "bd.model": model, "bd.choice": choice, ...rest } = attributes;
    assertEquals([model, choice], ["m", 0]);
    spans.push([name, beginMs, endMs, rest]);
  }, run));
  return spans;
}

Deno.test("traceRun() records wait, prefill and blocks one after the other, without text", () => {
  const spans = traced((observer) => {
    observer.admitted(50);
    observer.prefilled(30);
    observer.block(block(0, 4), 400);
    observer.block(block(1, 1), 500);
    observer.ended("length");
  });
  const counts = { "bd.steps": 3, "bd.nfe": 2 };
  assertEquals(spans, [
    ["queue wait", 1000, 1050, {}],
    ["prefill", 1050, 1080, { "bd.prompt_tokens": 3 }],
    ["block", 1080, 1400, { "bd.block": 0, "bd.tokens": 4, ...counts }],
    ["block", 1400, 1500, { "bd.block": 1, "bd.tokens": 1, ...counts }],
  ]);
});

Deno.test("traceRun() begins with the first block at once where nothing is prefilled", () => {
  const spans = traced((observer) => {
    observer.admitted(0);
    observer.block(block(0, 4), 400);
    observer.ended("error");
  });
  assertEquals(spans.map(([name, beginMs, endMs]) => [name, beginMs, endMs]), [
    ["queue wait", 1000, 1000],
    ["block", 1000, 1400],
  ]);
});

Deno.test("traceRun() shows the wait of a run that was never admitted", () => {
  const spans = traced((observer) => observer.ended("cancelled"));
  assertEquals(spans, [["queue wait", 1000, 1900, { "bd.finish_reason": "cancelled" }]]);
});

Deno.test("observeAll() tells everybody everything, in order", () => {
  const told: unknown[] = [];
  const listener = (name: string): RunObserver => ({
    admitted: (queueMs) => told.push([name, "admitted", queueMs]),
    prefilled: (ms) => told.push([name, "prefilled", ms]),
    block: ({ index }, ms) => told.push([name, "block", index, ms]),
    ended: (reason) => told.push([name, "ended", reason]),
  });
  const all = observeAll([listener("a"), listener("b")]);
  all.admitted(1);
  all.prefilled(2);
  all.block(block(0, 1), 3);
  all.ended("stop");
  assertEquals(told, [
    ["a", "admitted", 1],
    ["b", "admitted", 1],
    ["a", "prefilled", 2],
    ["b", "prefilled", 2],
    ["a", "block", 0, 3],
    ["b", "block", 0, 3],
    ["a", "ended", "stop"],
    ["b", "ended", "stop"],
  ]);
});
