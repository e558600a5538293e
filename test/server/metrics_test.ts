import { assertEquals, assertGreater } from "@std/assert";
import { type Exposition, readExposition } from "../support/prometheus.ts";
import { errorOf, parseEvents, type TestApp, testApp } from "./support.ts";

/** The interface's table of metrics: type and labels of each. */
const CONTRACT: Readonly<Record<string, readonly [string, ...string[]]>> = {
  bd_build_info: ["gauge", "version", "adapter"],
  bd_http_requests_total: ["counter", "method", "route", "status"],
  bd_http_request_duration_seconds: ["histogram", "route"],
  bd_sequences_total: ["counter", "model", "finish_reason"],
  bd_sequences_running: ["gauge"],
  bd_sequences_waiting: ["gauge"],
  bd_sequences_limit: ["gauge"],
  bd_rejected_total: ["counter", "code"],
  bd_prompt_tokens_total: ["counter", "model"],
  bd_completion_tokens_total: ["counter", "model"],
  bd_blocks_total: ["counter", "model"],
  bd_denoising_steps_total: ["counter", "model"],
  bd_forward_passes_total: ["counter", "model", "kind"],
  bd_queue_wait_seconds: ["histogram", "model"],
  bd_time_to_first_block_seconds: ["histogram", "model"],
  bd_block_duration_seconds: ["histogram", "model"],
  bd_stream_resumes_total: ["counter", "result"],
  bd_stream_steps_dropped_total: ["counter"],
  bd_streams_closed_slow_total: ["counter"],
  bd_device_lost_total: ["counter"],
  bd_cache_pages: ["gauge", "state"],
  bd_device_memory_bytes: ["gauge", "kind"],
  bd_event_loop_lag_seconds: ["gauge"],
  process_resident_memory_bytes: ["gauge"],
  process_start_time_seconds: ["gauge"],
  bd_prefix_cache_query_tokens_total: ["counter", "model"],
  bd_prefix_cache_hit_tokens_total: ["counter", "model"],
  bd_prefix_cache_pages: ["gauge"],
  bd_prefix_cache_evicted_pages_total: ["counter", "model"],
  // Beyond the interface, for a sum that must hold.
  bd_sequences_started_total: ["counter", "model"],
};

const model = "test-copy";

async function scrape(app: TestApp): Promise<Exposition> {
  return readExposition(await (await app.send("/metrics")).text());
}

/** An app whose engine stops before step `at` until it is let go. */
function paused(at: number, script: { maxConcurrent?: number; maxQueue?: number } = {}) {
  const gate = Promise.withResolvers<void>();
  const beforeStep = (step: number) => step >= at ? gate.promise : undefined;
  const app = testApp({ script: { beforeStep, ...script } });
  return { ...app, go: gate.resolve };
}

async function firstChunks(response: Response, count: number) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let i = 0; i < count; i += 1) text += (await reader.read()).value;
  return { text, reader };
}

Deno.test("GET /metrics has every family of the interface, and no other", async () => {
  const app = testApp();
  await (await app.post({ prompt: "x", max_tokens: 1 })).text();
  const response = await app.send("/metrics");
  assertEquals(response.status, 200);
  assertEquals(
    response.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  const exposition = readExposition(await response.text());
  assertEquals([...exposition.types.keys()].sort(), Object.keys(CONTRACT).sort());
  for (const [name, [type, ...labels]] of Object.entries(CONTRACT)) {
    const parts = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    const found = parts.map((part) =>
      Object.keys(exposition.labels(name + part)[0] ?? { missing: true }).sort()
    );
    const expected = parts.map((part) =>
      [...labels, ...(part === "_bucket" ? ["le"] : [])].toSorted()
    );
    assertEquals([name, exposition.types.get(name), found], [name, type, expected]);
  }
});

Deno.test("HEAD /metrics has headers alone", async () => {
  const response = await testApp().send("/metrics", { method: "HEAD" });
  assertEquals([response.status, await response.text()], [200, ""]);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("/metrics needs a key, unless it is public", async () => {
  const status = async (metricsPublic: boolean, headers = {}) => {
    const app = testApp({ settings: { apiKeys: ["key"], metricsPublic } });
    const others = await app.send("/v1/models", { headers });
    const response = await app.send("/metrics", { headers });
    await Promise.all([others.body?.cancel(), response.body?.cancel()]);
    return [response.status, others.status];
  };
  assertEquals(await status(false), [401, 401]);
  assertEquals(await status(false, { authorization: "Bearer key" }), [200, 200]);
  assertEquals(await status(true), [200, 401]);
});

Deno.test("/metrics answers while the models load, with gauges at 0", async () => {
  const loading = Promise.withResolvers<never>();
  for (const waitForModel of [false, true]) {
    const exposition = await scrape(testApp({ models: loading.promise, waitForModel }));
    assertEquals(exposition.labels("bd_build_info"), [{ version: "1.2.3", adapter: "" }]);
    assertEquals(exposition.value("bd_sequences_limit"), 0);
    assertEquals(exposition.value("bd_cache_pages", { state: "free" }), 0);
  }
});

Deno.test("/metrics tells what the engines hold now", async () => {
  const app = paused(2, { maxConcurrent: 1 });
  const running = await firstChunks(await app.post({ prompt: "a", max_tokens: 4 }), 2);
  const waiting = await app.post({ prompt: "a", max_tokens: 4 });
  const exposition = await scrape(app);
  assertEquals(exposition.value("bd_sequences_running"), 1);
  assertEquals(exposition.value("bd_sequences_waiting"), 1);
  assertEquals(exposition.value("bd_sequences_limit"), 1);
  assertEquals(exposition.value("bd_cache_pages", { state: "used" }), 1);
  assertEquals(exposition.value("bd_cache_pages", { state: "free" }), 99);
  assertEquals(exposition.value("bd_device_memory_bytes", { kind: "scratch" }), 3);
  assertEquals(exposition.value("bd_forward_passes_total", { model, kind: "denoise" }), 2);
  assertEquals(exposition.labels("bd_build_info"), [{ version: "1.2.3", adapter: "scripted" }]);
  assertGreater(exposition.value("process_resident_memory_bytes")!, 2 ** 20);
  const startMs = 1000 * exposition.value("process_start_time_seconds")!;
  assertEquals(Math.abs(startMs - performance.timeOrigin) < 1, true);
  app.go();
  await waiting.text();
  await running.reader.cancel();
  await app.engine.idle;
});

Deno.test("/metrics tells what the prefix cache has saved, and keeps", async () => {
  const prefixCache = { pages: 4, evictedPages: 3, queryTokens: 200, hitTokens: 128 };
  const exposition = await scrape(testApp({ script: { prefixCache } }));
  const of = (name: string) => exposition.value(`bd_prefix_cache_${name}`, { model });
  assertEquals([of("query_tokens_total"), of("hit_tokens_total")], [200, 128]);
  assertEquals(of("evicted_pages_total"), 3);
  assertEquals(exposition.value("bd_prefix_cache_pages"), 4);
});

Deno.test("event loop lag is how late a timer fires on the app's clock", async () => {
  let ms = 0;
  // The request's begin, the timer's, and its end.
  const app = testApp({ nowMs: () => ms += 250 });
  assertEquals((await scrape(app)).value("bd_event_loop_lag_seconds"), 0.25);
});

Deno.test("tokens, blocks and steps are counted as the answers tell them", async () => {
  const app = testApp();
  const bodies = [
    { prompt: "hi", max_tokens: 6 },
    { prompt: "abcdefghij", max_tokens: 40, stop: "efgh" },
    { prompt: [97, 257, 98], max_tokens: 9 },
    { prompt: "", max_tokens: 3, block_size: 1, stream: false },
  ];
  for (const body of bodies) await (await app.post(body)).text();
  const exposition = await scrape(app);
  // By hand: 4 + 2 tokens; "abcdefgh" in 2 blocks; "a" and the end token, of 4 steps; 3 times 1.
  assertEquals(exposition.value("bd_prompt_tokens_total", { model }), 2 + 10 + 3 + 0);
  assertEquals(exposition.value("bd_completion_tokens_total", { model }), 6 + 8 + 2 + 3);
  assertEquals(exposition.value("bd_blocks_total", { model }), 2 + 2 + 1 + 3);
  assertEquals(exposition.value("bd_denoising_steps_total", { model }), 6 + 8 + 4 + 3);
  assertEquals(exposition.value("bd_queue_wait_seconds_count", { model }), 4);
  assertEquals(exposition.value("bd_time_to_first_block_seconds_count", { model }), 4);
  assertEquals(exposition.value("bd_block_duration_seconds_count", { model }), 8);
  // Each block of the scripted engine says that it took 1.5 ms.
  const bucket = { model, le: "0.0025" };
  assertEquals(exposition.value("bd_block_duration_seconds_bucket", bucket), 8);
  assertEquals(
    exposition.value("bd_block_duration_seconds_bucket", { ...bucket, le: "0.001" }),
    0,
  );
  assertEquals(endings(exposition), { stop: 2, length: 2, cancelled: 0, error: 0 });
});

Deno.test("a prompt with several choices is counted once, as usage has it", async () => {
  const app = testApp();
  const body = { model, prompt: ["abc", "de"], n: 3, max_tokens: 2 };
  const { usage } = await (await app.post(body, "/v1/completions")).json();
  assertEquals(usage, { prompt_tokens: 5, completion_tokens: 12, total_tokens: 17 });
  const exposition = await scrape(app);
  assertEquals(exposition.value("bd_prompt_tokens_total", { model }), 5);
  assertEquals(exposition.value("bd_completion_tokens_total", { model }), 12);
  assertEquals(exposition.value("bd_sequences_started_total", { model }), 6);
  assertEquals(endings(exposition), { stop: 0, length: 6, cancelled: 0, error: 0 });
});

function endings(exposition: Exposition): Record<string, number | undefined> {
  const reasons = ["stop", "length", "cancelled", "error"];
  return Object.fromEntries(
    reasons.map((finish_reason) => [
      finish_reason,
      exposition.value("bd_sequences_total", { model, finish_reason }),
    ]),
  );
}

Deno.test("whatever started has ended, or runs, or waits", async () => {
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const beforeStep = () => {
    calls += 1;
    if (calls === 2) throw new Error("a failed pass");
    return calls > 6 ? gate.promise : undefined;
  };
  const app = testApp({ script: { beforeStep, maxConcurrent: 1, maxQueue: 1 } });
  await (await app.post({ prompt: "fails", max_tokens: 4 })).text();
  await (await app.post({ prompt: "ends", max_tokens: 3 })).text();
  const body = { prompt: "goes on", max_tokens: 4 };
  const { text, reader } = await firstChunks(await app.post(body), 2);
  const waiting = await app.post(body);
  const refused = await app.post(body);
  assertEquals((await errorOf(refused)).code, "queue_full");
  const before = await scrape(app);
  assertEquals(endings(before), { stop: 0, length: 1, cancelled: 0, error: 1 });
  assertEquals(before.value("bd_sequences_started_total", { model }), 4);
  assertEquals(before.value("bd_sequences_running"), 1);
  assertEquals(before.value("bd_sequences_waiting"), 1);
  const id = /id: (.*)\.0/.exec(text)![1]!;
  assertEquals((await app.send(`/v1/blocks/${id}`, { method: "DELETE" })).status, 204);
  gate.resolve();
  await waiting.text();
  while (!(await reader.read()).done);
  await app.engine.idle;
  const after = await scrape(app);
  assertEquals(endings(after), { stop: 0, length: 2, cancelled: 1, error: 1 });
  assertEquals(after.value("bd_sequences_started_total", { model }), 4);
  assertEquals(after.value("bd_sequences_running"), 0);
  assertEquals(after.value("bd_sequences_waiting"), 0);
});

Deno.test("requests are counted by method, route pattern and status", async () => {
  let ms = 0;
  const app = testApp({ nowMs: () => ms });
  await (await app.send("/v1/models/test-copy")).text();
  await (await app.send("/v1/models/unknown")).text();
  await (await app.send("/v1/my-secret")).text();
  await (await app.send("/health", { method: "MYSECRET" })).text();
  const slow = testApp({ nowMs: () => ms += 2000 });
  await (await slow.send("/health")).text();
  const counted = async (of: TestApp, labels: Record<string, string>) =>
    (await scrape(of)).value("bd_http_requests_total", labels);
  const exposition = await scrape(app);
  assertEquals(exposition.labels("bd_http_requests_total"), [
    { method: "GET", route: "/v1/models/:id", status: "200" },
    { method: "GET", route: "/v1/models/:id", status: "404" },
    { method: "GET", route: "none", status: "404" },
    { method: "other", route: "/health", status: "405" },
  ]);
  const labels = { method: "GET", route: "/metrics", status: "200" };
  assertEquals(await counted(app, labels), 1);
  assertEquals(await counted(app, labels), 2);
  const { value } = await scrape(slow);
  assertEquals(value("bd_http_request_duration_seconds_sum", { route: "/health" }), 2);
  assertEquals(value("bd_http_request_duration_seconds_count", { route: "/health" }), 1);
});

Deno.test("refusals are counted by code", async () => {
  const app = testApp({ settings: { apiKeys: ["key"] } });
  const authorization = "Bearer key";
  const post = (body: string) =>
    app.send("/v1/blocks", {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body,
    });
  const responses = [
    await app.send("/v1/models"),
    await app.send("/v1/models", { headers: { authorization: "Bearer wrong" } }),
    await app.send("/v1/models", { headers: { host: "example.com" } }),
    await app.send("/nowhere", { headers: { authorization } }),
    await app.send("/v1/models", { headers: { authorization }, method: "PUT" }),
    await post("{"),
    await post('{"max_tokens": 0}'),
    await post('{"unknown": 0}'),
  ];
  const codes = await Promise.all(responses.map(async (each) => (await errorOf(each)).code));
  assertEquals(codes, [
    "missing_api_key",
    "invalid_api_key",
    "host_not_allowed",
    "route_not_found",
    "method_not_allowed",
    "invalid_json",
    "invalid_value",
    "unknown_parameter",
  ]);
  const response = await app.send("/metrics", { headers: { authorization } });
  const exposition = readExposition(await response.text());
  for (const { code = "" } of exposition.labels("bd_rejected_total")) {
    const count = exposition.value("bd_rejected_total", { code });
    assertEquals([code, count], [code, codes.includes(code) ? 1 : 0]);
  }
  // Those that were there before anything happened are the interface's.
  assertEquals(exposition.labels("bd_rejected_total").length, 32);
});

Deno.test("clients that come back are counted, and those that fail to", async () => {
  const app = testApp();
  const text = await (await app.post({ prompt: "ab", max_tokens: 4 })).text();
  const [{ id }] = [parseEvents(text)[0]!.data];
  const back = (path: string, lastEventId: string) =>
    app.send(path, { headers: { "last-event-id": lastEventId } });
  const responses = [
    await back(`/v1/blocks/${id}`, `${id}.0`),
    await app.send(`/v1/blocks/${id}`),
    // After the final event.
    await back("/v1/blocks?prompt=ab", `${id}.2`),
    await back("/v1/blocks", "nonsense"),
    await back("/v1/blocks", `${id}.9`),
    await back("/v1/blocks", `blk_${"A".repeat(22)}.1`),
  ];
  assertEquals(responses.map(({ status }) => status), [200, 200, 204, 400, 400, 404]);
  await Promise.all(responses.map((each) => each.text()));
  // Not a client that comes back.
  await (await app.send(`/v1/blocks/blk_${"A".repeat(22)}`, { method: "DELETE" })).text();
  const { value } = await scrape(app);
  const counts = ["ok", "gone", "invalid"].map((result) =>
    value("bd_stream_resumes_total", { result })
  );
  assertEquals(counts, [3, 1, 2]);
});

Deno.test("steps that a slow reader does not get are counted", async () => {
  const app = testApp();
  const body = { prompt: "abc", max_tokens: 2000, block_size: 32, trace: true };
  const response = await app.post(body);
  while (endings(await scrape(app)).length === 0);
  const events = parseEvents(await response.text());
  const sent = events.filter(({ event }) => event === "step").length;
  const { steps } = events.at(-1)!.data;
  assertGreater(steps, sent);
  assertEquals((await scrape(app)).value("bd_stream_steps_dropped_total"), steps - sent);
});

Deno.test("streams closed under a reader that takes nothing are counted", async () => {
  const app = paused(0);
  const slow = testApp({ settings: { writeTimeoutMs: 1 } });
  const reader = (await slow.post({ prompt: "a", max_tokens: 4, resume_ms: 0 })).body!.getReader();
  await reader.read();
  await reader.closed.catch(() => {});
  assertEquals((await scrape(slow)).value("bd_streams_closed_slow_total"), 1);
  // A reader that leaves is not slow.
  const { reader: other } = await firstChunks(await app.post({ prompt: "a", resume_ms: 0 }), 1);
  await other.cancel();
  assertEquals((await scrape(app)).value("bd_streams_closed_slow_total"), 0);
});
