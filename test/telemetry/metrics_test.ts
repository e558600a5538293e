import { assertEquals } from "@std/assert";
import { Metrics, type ModelReading } from "../../src/telemetry/metrics.ts";
import { type Exposition, readExposition } from "../support/prometheus.ts";

const LOADING = { models: [], lagMs: 0, residentBytes: 0 };

function newMetrics(): Metrics {
  return new Metrics({ version: "1.2.3", startMs: 1500, codes: ["queue_full", "draining"] });
}

async function read(metrics: Metrics, readings: Parameters<Metrics["render"]>[0] = LOADING) {
  return readExposition(await metrics.render(readings));
}

function reading(model: string, fields: Partial<ModelReading> = {}): ModelReading {
  return {
    model,
    adapter: `device of ${model}`,
    running: 0,
    waiting: 0,
    slots: 0,
    usedPages: 0,
    freePages: 0,
    denoisePasses: 0,
    commitPasses: 0,
    prefixCache: { pages: 0, evictedPages: 0, queryTokens: 0, hitTokens: 0 },
    memory: { weights: 0, cache: 0, scratch: 0 },
    losses: 0,
    ...fields,
  };
}

function values(exposition: Exposition, name: string): (number | undefined)[] {
  return exposition.labels(name).map((labels) => exposition.value(name, labels));
}

Deno.test("Metrics begins with every count whose labels are known at 0", async () => {
  const exposition = await read(newMetrics(), { ...LOADING, models: [reading("m")] });
  const model = "m";
  for (const finish_reason of ["stop", "length", "cancelled", "error"]) {
    assertEquals(exposition.value("bd_sequences_total", { model, finish_reason }), 0);
  }
  for (const name of ["sequences_started", "prompt_tokens", "completion_tokens", "blocks"]) {
    assertEquals(exposition.value(`bd_${name}_total`, { model }), 0);
  }
  assertEquals(exposition.value("bd_denoising_steps_total", { model }), 0);
  for (const name of ["queue_wait", "time_to_first_block", "block_duration"]) {
    assertEquals(exposition.value(`bd_${name}_seconds_count`, { model }), 0);
  }
  assertEquals(exposition.labels("bd_rejected_total"), [
    { code: "queue_full" },
    { code: "draining" },
  ]);
  assertEquals(exposition.labels("bd_stream_resumes_total"), [
    { result: "ok" },
    { result: "gone" },
    { result: "invalid" },
  ]);
});

Deno.test("Metrics without models has gauges at 0 and no adapter", async () => {
  const exposition = await read(newMetrics());
  assertEquals(exposition.labels("bd_build_info"), [{ version: "1.2.3", adapter: "" }]);
  for (const name of ["running", "waiting", "limit"]) {
    assertEquals(exposition.value(`bd_sequences_${name}`), 0);
  }
  assertEquals(exposition.value("bd_cache_pages", { state: "free" }), 0);
  assertEquals(exposition.labels("bd_blocks_total"), []);
});

Deno.test("Metrics sums what several models hold, and tells the default one's adapter", async () => {
  const first = reading("a", {
    running: 1,
    waiting: 2,
    slots: 3,
    usedPages: 4,
    freePages: 5,
    denoisePasses: 6,
    commitPasses: 7,
    prefixCache: { pages: 1, evictedPages: 2, queryTokens: 3, hitTokens: 4 },
    memory: { weights: 8, cache: 9, scratch: 10 },
    losses: 11,
  });
  const second = reading("b", {
    running: 100,
    waiting: 200,
    slots: 300,
    usedPages: 400,
    freePages: 500,
    denoisePasses: 600,
    commitPasses: 700,
    prefixCache: { pages: 100, evictedPages: 200, queryTokens: 300, hitTokens: 400 },
    memory: { weights: 800, cache: 900, scratch: 1000 },
    losses: 1100,
  });
  const metrics = newMetrics();
  await read(metrics);
  // Twice: what is read must not be added to what was read before.
  await read(metrics, { models: [first, second], lagMs: 1, residentBytes: 1 });
  const exposition = await read(metrics, {
    models: [first, second],
    lagMs: 12,
    residentBytes: 13,
  });
  const names = ["build_info", "cache_pages", "device_memory_bytes", "forward_passes_total"];
  const ofCache = ["pages", "evicted_pages_total", "query_tokens_total", "hit_tokens_total"];
  assertEquals(ofCache.map((name) => values(exposition, `bd_prefix_cache_${name}`)), [
    [101],
    [2, 200],
    [3, 300],
    [4, 400],
  ]);
  assertEquals(Object.fromEntries(names.map((name) => [name, values(exposition, `bd_${name}`)])), {
    build_info: [1],
    cache_pages: [404, 505],
    device_memory_bytes: [808, 909, 1010],
    forward_passes_total: [6, 7, 600, 700],
  });
  assertEquals(exposition.labels("bd_build_info"), [{ version: "1.2.3", adapter: "device of a" }]);
  assertEquals(exposition.value("bd_forward_passes_total", { model: "b", kind: "commit" }), 700);
  assertEquals(exposition.value("bd_sequences_running"), 101);
  assertEquals(exposition.value("bd_sequences_waiting"), 202);
  assertEquals(exposition.value("bd_sequences_limit"), 303);
  assertEquals(exposition.value("bd_device_lost_total"), 1111);
  assertEquals(exposition.value("bd_event_loop_lag_seconds"), 0.012);
  assertEquals(exposition.value("process_resident_memory_bytes"), 13);
  assertEquals(exposition.value("process_start_time_seconds"), 1.5);
});

Deno.test("Metrics keeps what a model did before it was read for the first time", async () => {
  const metrics = newMetrics();
  metrics.sequenceTaken("m", 5);
  metrics.sequenceAdmitted("m", 250);
  metrics.blockFinished("m", { tokens: 4, steps: 3, ms: 20, firstMs: 270 });
  metrics.blockFinished("m", { tokens: 2, steps: 1, ms: 30, firstMs: null });
  metrics.sequenceEnded("m", "stop");
  const exposition = await read(metrics, { ...LOADING, models: [reading("m")] });
  const model = "m";
  assertEquals(exposition.value("bd_sequences_started_total", { model }), 1);
  assertEquals(exposition.value("bd_prompt_tokens_total", { model }), 5);
  assertEquals(exposition.value("bd_completion_tokens_total", { model }), 6);
  assertEquals(exposition.value("bd_blocks_total", { model }), 2);
  assertEquals(exposition.value("bd_denoising_steps_total", { model }), 4);
  assertEquals(exposition.value("bd_queue_wait_seconds_sum", { model }), 0.25);
  assertEquals(exposition.value("bd_time_to_first_block_seconds_sum", { model }), 0.27);
  assertEquals(exposition.value("bd_time_to_first_block_seconds_count", { model }), 1);
  assertEquals(exposition.value("bd_block_duration_seconds_sum", { model }), 0.05);
  assertEquals(exposition.value("bd_sequences_total", { model, finish_reason: "stop" }), 1);
  const bucket = (le: string) => exposition.value("bd_queue_wait_seconds_bucket", { model, le });
  assertEquals([bucket("0.1"), bucket("0.25"), bucket("+Inf")], [0, 1, 1]);
});

Deno.test("Metrics takes labels from fixed lists, whatever a request says", async () => {
  const metrics = newMetrics();
  metrics.answered({ method: "GET", route: "/v1/blocks", status: 200 }, 100);
  metrics.answered({ method: "GET", route: "/v1/blocks", status: 200 }, 400);
  metrics.answered({ method: "my secret", route: null, status: 404 }, 1);
  const exposition = await read(metrics);
  assertEquals(exposition.labels("bd_http_requests_total"), [
    { method: "GET", route: "/v1/blocks", status: "200" },
    { method: "other", route: "none", status: "404" },
  ]);
  assertEquals(values(exposition, "bd_http_requests_total"), [2, 1]);
  const route = "/v1/blocks";
  assertEquals(exposition.value("bd_http_request_duration_seconds_sum", { route }), 0.5);
});

Deno.test("Metrics escapes what a label must not have", async () => {
  const model = 'a "b" \\c';
  const exposition = await read(newMetrics(), { ...LOADING, models: [reading(model)] });
  assertEquals(exposition.labels("bd_blocks_total"), [{ model }]);
});

Deno.test("two Metrics count apart", async () => {
  const [one, other] = [newMetrics(), newMetrics()];
  one.refused("draining");
  assertEquals((await read(one)).value("bd_rejected_total", { code: "draining" }), 1);
  assertEquals((await read(other)).value("bd_rejected_total", { code: "draining" }), 0);
});
