import { assert, assertEquals } from "@std/assert";
import { metric } from "../support/metrics.ts";
import { connectRaw, postText, readRaw } from "../support/raw_http.ts";
import { TestServer } from "../support/test_server.ts";

const CLIENTS = 60;
const TOKENS = 4000;
/** Time to the next answer. Those who wait before it would take minutes. */
const NEXT_MS = 2000;

/** What clients ask for, and what comes at once: of an answer that is not streamed, nothing. */
const ENDLESS = [
  { path: "/v1/blocks", body: { resume_ms: 0 }, first: "event: start" },
  { path: "/v1/blocks", body: { stream: false }, first: "" },
  { path: "/v1/completions", body: { model: "test-copy", stream: true }, first: "HTTP/1.1 200" },
  { path: "/v1/completions", body: { model: "test-copy" }, first: "" },
];

/** Client number `i`, on a connection of its own. */
async function begin(server: TestServer, i: number): Promise<Deno.TcpConn> {
  const { path, body, first } = ENDLESS[i % ENDLESS.length]!; // Never beyond its end.
  const text = postText(path, { prompt: "on and on, ", max_tokens: TOKENS, ...body });
  const connection = await connectRaw(server.address, text);
  await readRaw(connection, (bytes) => new TextDecoder().decode(bytes).includes(first));
  return connection;
}

function beginAll(server: TestServer): Promise<Deno.TcpConn[]> {
  return Promise.all(Array.from({ length: CLIENTS }, (_, i) => begin(server, i)));
}

Deno.test(`${CLIENTS} clients that leave at once free their places at once`, async () => {
  await using server = await TestServer.start();
  const connections = await beginAll(server);
  for (const each of connections) each.close();
  const leftAt = performance.now();
  const { text, last } = await server.blocks({ prompt: "next", max_tokens: 4 });
  const ms = performance.now() - leftAt;
  assertEquals([text, last.event], ["next", "done"]);
  assert(ms < NEXT_MS, `the next answer took ${ms} ms`);
});

Deno.test(
  "the metrics tell of clients that left, and of nothing held for them",
  async () => {
    await using server = await TestServer.start();
    const connections = await beginAll(server);
    const started = () => metric(server, "bd_sequences_started_total");
    const cancelled = () => metric(server, "bd_sequences_total", { finish_reason: "cancelled" });
    // Each look is a round trip.
    while (await started() < CLIENTS);
    for (const each of connections) each.close();
    while (await cancelled() < CLIENTS);
    const names = ["bd_sequences_started_total", "bd_sequences_total"];
    assertEquals(await Promise.all(names.map((name) => metric(server, name))), [CLIENTS, CLIENTS]);
    const gauges = ["bd_sequences_running", "bd_sequences_waiting"];
    assertEquals(await Promise.all(gauges.map((name) => metric(server, name))), [0, 0]);
    assertEquals(await metric(server, "bd_cache_pages", { state: "used" }), 0);
  },
);
