import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type CollectedSpan, Collector } from "../support/collector.ts";
import { readEventStream } from "../support/event_stream.ts";
import { ROOT, RunningDeno } from "../support/process.ts";
import { TestServer } from "../support/test_server.ts";

// Black box: servers with the runtime's OpenTelemetry switched on, and a collector.

const TRACE = "0af7651916cd43dd8448eb211c80319c";

function attributesOf({ attributes }: CollectedSpan): Record<string, string | number> {
  return Object.fromEntries(attributes);
}

function byTime(spans: readonly CollectedSpan[]): CollectedSpan[] {
  return spans.toSorted((a, b) => a.startMs - b.startMs);
}

/** Ends the server, which exports the rest. */
async function exportAll(server: TestServer): Promise<void> {
  server.signal("SIGTERM");
  await server.status;
}

Deno.test("a request's spans tell what became of it, and no text", async () => {
  await using collector = new Collector();
  await using server = await TestServer.startIn(collector.environment, "--test-step-ms", "2");
  const beginMs = Date.now();
  const response = await server.post("/v1/blocks", { prompt: "my secret", max_tokens: 10 }, {
    headers: {
      "content-type": "application/json",
      authorization: "Bearer my-secret-key",
      traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
    },
  });
  const { events } = await readEventStream(response);
  const blocks = events.filter(({ event }) => event === "block").map(({ data }) => data);
  const [request] = await collector.named("POST /v1/blocks", 1);
  await collector.named("block", 3);

  assertEquals([request?.traceId, request?.kind], [TRACE, 2]);
  assertEquals(attributesOf(request!), {
    "http.request.method": "POST",
    "url.scheme": "http",
    "http.route": "/v1/blocks",
    "http.response.status_code": "200",
    "bd.request_id": response.headers.get("x-request-id")!,
  });

  const children = byTime(collector.spans.filter((span) => span !== request));
  const names = children.map(({ name }) => name);
  assertEquals(names, ["queue wait", "prefill", "block", "block", "block"]);
  const common = { "bd.model": "test-copy", "bd.choice": 0 };
  assertEquals(children.map(attributesOf), [
    common,
    { ...common, "bd.prompt_tokens": 9 },
    ...blocks.map(({ index, tokens, steps, nfe }) => ({
      ...common,
      "bd.block": index,
      "bd.tokens": tokens.length,
      "bd.steps": steps,
      "bd.nfe": nfe,
    })),
  ]);
  for (const [i, span] of children.entries()) {
    assertEquals([span.traceId, span.parentSpanId, span.kind], [TRACE, request!.spanId, 1]);
    // One after the other; times are told to a microsecond.
    const startMs = i === 0 ? span.startMs : children[i - 1]!.endMs;
    assert(Math.abs(span.startMs - startMs) < 0.01, `${span.name} begins at ${span.startMs}`);
    // The runtime has its own clock.
    assert(span.startMs >= request!.startMs - 1 && span.endMs >= span.startMs);
  }
  assert(request!.startMs >= beginMs - 1 && children.at(-1)!.endMs <= Date.now() + 1);
  // Ten steps of 2 ms: the last blocks came when the response had long begun.
  assert(children.at(-1)!.endMs > request!.endMs);
  await exportAll(server);
  assertStringIncludes(collector.received, response.headers.get("x-request-id")!);
  assertEquals(collector.received.includes("secret"), false);
});

Deno.test("the targets of requests reach no collector", async () => {
  await using collector = new Collector();
  await using server = await TestServer.startIn(collector.environment, "--test-step-ms", "0");
  for (
    const path of [
      "/v1/blocks?prompt=my%20secret&max_tokens=4",
      "/v1/blocks?promt=secret",
      "/secret",
      "/v1/models/secret",
    ]
  ) {
    await (await server.get(path)).text();
  }
  await collector.named("GET /v1/blocks", 2);
  await collector.named("GET /v1/models/:id", 1);
  const [unknown] = await collector.named("GET", 1);
  await collector.named("block", 1);
  assertEquals(attributesOf(unknown!)["http.route"], undefined);
  await exportAll(server);
  // The log was exported, too.
  assertEquals(collector.received.match(/\\"event\\":\\"request\\"/g)?.length, 4);
  assertEquals(collector.received.includes("secret"), false);
});

Deno.test("requests that nobody samples have no spans, and neither has what they set going", async () => {
  await using collector = new Collector();
  const environment = { ...collector.environment, OTEL_TRACES_SAMPLER: "parentbased_always_off" };
  await using server = await TestServer.startIn(environment, "--test-step-ms", "0");
  await server.blocks({ prompt: "unseen", max_tokens: 4 });
  const sampled = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
  await (await server.get("/v1/blocks?max_tokens=4", { headers: sampled })).text();
  await collector.named("block", 1);
  await collector.named("GET /v1/blocks", 1);
  assertEquals(new Set(collector.spans.map(({ traceId }) => traceId)), new Set([TRACE]));
});

Deno.test("serve as it is launched exports its spans with least permissions", async () => {
  await using collector = new Collector();
  const launch = `${ROOT}src/commands/launch.ts`;
  const args = ["run", "--allow-all", launch, "serve", "--port", "0"];
  await using server = new RunningDeno(args, collector.environment);
  let address: string | undefined;
  while (address === undefined) {
    const line = await server.line();
    if (line === null) throw new Error("Cannot find the server's address");
    address = /^listening on (http:\/\/\S+)$/.exec(line)?.[1];
  }
  const query = "prompt=Once%20upon%20a%20secret&max_tokens=8&seed=1&ignore_eos=true";
  const { text } = await readEventStream(await fetch(`${address}/v1/blocks?${query}`));
  const [block] = await collector.named("block", 1);
  const [request] = await collector.named("GET /v1/blocks", 1);
  assertEquals(block!.parentSpanId, request!.spanId);
  assertEquals(attributesOf(block!)["bd.model"], "tinystories-bd3lm");
  for (const words of ["Once", "secret", text.trim()]) {
    assertEquals(collector.received.includes(words), false);
  }
});

Deno.test("deno serve main.ts hides targets from its first request on", async () => {
  await using collector = new Collector();
  const permissions = ["--allow-net", "--allow-env=BD_*", `--allow-read=${ROOT}`];
  const where = ["--host", "127.0.0.1", "--port", "0"];
  const process = new Deno.Command(Deno.execPath(), {
    args: ["serve", "--no-prompt", ...permissions, ...where, "main.ts"],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1", ...collector.environment },
  }).spawn();
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!/:\d+\//.test(printed)) printed += (await reader.read()).value ?? "";
  const address = /http:\/\/\S+:\d+/.exec(printed)![0];
  // Answered before the model is there.
  await (await fetch(`${address}/health?prompt=secret`)).text();
  await collector.named("GET /health", 1);
  assertEquals(collector.received.includes("secret"), false);
  process.kill("SIGKILL");
  await reader.cancel();
  await process.status;
});
