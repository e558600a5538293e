import { assertEquals } from "@std/assert";
import { countRun } from "../../src/server/observers.ts";
import type { ObservedRun } from "../../src/server/parts.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
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
    stopToken: null,
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
