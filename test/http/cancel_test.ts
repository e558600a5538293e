import { assert, assertEquals } from "@std/assert";
import { metric } from "../support/metrics.ts";
import { connectRaw, postText, readRaw } from "../support/raw_http.ts";
import { TestServer } from "../support/test_server.ts";

const CLIENTS = 60;
const TOKENS = 4000;
/** Time to the next answer. Those who wait before it would take minutes. */
const NEXT_MS = 2000;

/** A stream that has begun, on a connection of its own. */
async function begin(server: TestServer): Promise<Deno.TcpConn> {
  const request = { prompt: "on and on, ", max_tokens: TOKENS, resume_ms: 0 };
  const connection = await connectRaw(server.address, postText("/v1/blocks", request));
  await readRaw(connection, (bytes) => new TextDecoder().decode(bytes).includes("event: start"));
  return connection;
}

Deno.test(`${CLIENTS} clients that leave at once free their places at once`, async () => {
  await using server = await TestServer.start();
  const connections = await Promise.all(Array.from({ length: CLIENTS }, () => begin(server)));
  for (const each of connections) each.close();
  const leftAt = performance.now();
  const { text, last } = await server.blocks({ prompt: "next", max_tokens: 4 });
  const ms = performance.now() - leftAt;
  assertEquals([text, last.event], ["next", "done"]);
  assert(ms < NEXT_MS, `the next answer took ${ms} ms`);
});

Deno.test.ignore(
  "the metrics tell of clients that left, and that nothing is held for them",
  async () => {
    await using server = await TestServer.start();
    const connections = await Promise.all(Array.from({ length: CLIENTS }, () => begin(server)));
    for (const each of connections) each.close();
    const cancelled = () => metric(server, "bd_sequences_total", { finish_reason: "cancelled" });
    while (await cancelled() < CLIENTS) {
      // Each look is a round trip.
    }
    assertEquals(await cancelled(), CLIENTS);
    const gauges = ["bd_sequences_running", "bd_sequences_waiting"];
    assertEquals(await Promise.all(gauges.map((name) => metric(server, name))), [0, 0]);
    assertEquals(await metric(server, "bd_cache_pages", { state: "used" }), 0);
  },
);
