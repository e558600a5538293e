import { assert, assertEquals } from "@std/assert";
import { copiedText } from "../support/copy_request.ts";
import { readEventStream } from "../support/event_stream.ts";
import { OpenStream, until } from "../support/open_stream.ts";
import { TestServer } from "../support/test_server.ts";

// What SIGTERM does to a server with work in hand.

const RUNNING = 8;
const WAITING = 6;
const TOKENS = 200;
/** Time from the last event to the end of the process. Source: the contract, section 11. */
const EXIT_MS = 2000;
/** A hang and no measurement: what it takes is in `deno task bench server`. */
const REFUSAL_MS = 1000;

const promptOf = (i: number) => `stream ${i} goes on: `;

Deno.test("SIGTERM lets what runs and what waits finish, and refuses the rest at once", async () => {
  await using server = await TestServer.start("--max-concurrent", String(RUNNING));
  // A response begins when its request is admitted, to run or to wait.
  const responses = await Promise.all(
    Array.from(
      { length: RUNNING + WAITING },
      (_, i) => server.post("/v1/blocks", { prompt: promptOf(i), max_tokens: TOKENS }),
    ),
  );
  const request = { prompt: promptOf(99), max_tokens: TOKENS };
  const dropped = await OpenStream.open(server, request, { part: '"params":' });
  const id = /"id":"(blk_[^"]+)"/.exec(dropped.text)![1]!;

  const signalledAt = performance.now();
  server.signal("SIGTERM");
  const refusal = await until(503, () => server.post("/v1/blocks", { max_tokens: 1 }));
  const refusedMs = performance.now() - signalledAt;
  assert(refusedMs < REFUSAL_MS, `it took ${refusedMs} ms`);
  assertEquals((await refusal.json()).error.code, "draining");
  assert(Number(refusal.headers.get("retry-after")) >= 1, "Retry-After is missing");
  assertEquals(await (await server.get("/health")).json(), { status: "ok" });

  // A client that lost its stream finds it still, whatever the signal.
  await dropped.leave();
  const resumed = readEventStream(await server.get(`/v1/blocks/${id}`));
  const streams = await Promise.all([...responses.map(readEventStream), resumed]);
  const endedAt = performance.now();
  const numbers = [...responses.keys(), 99];
  assertEquals(
    streams.map(({ text, last }) => [text, last.data.finish_reason]),
    numbers.map((i) => [copiedText(promptOf(i), TOKENS), "length"]),
  );
  assertEquals((await server.status).code, 0);
  const exitMs = performance.now() - endedAt;
  assert(exitMs < EXIT_MS, `it ran on for ${exitMs} ms`);
});
