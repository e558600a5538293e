import { assert } from "@std/assert";
import { residentBytes } from "../support/resident_memory.ts";
import { TestServer } from "../support/test_server.ts";

const STREAMS = 400;
/** What they may leave behind. */
const GROWTH_BYTES = 96 << 20;

Deno.test(`the server does not grow with its streams: ${STREAMS} of them`, async () => {
  await using server = await TestServer.start("--test-step-ms", "0");
  const stream = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) => server.blocks({ prompt: `${i}`, max_tokens: 200 })),
    );
  // Compiled code and the first heap are the runtime's, not the streams'.
  for (let i = 0; i < 5; i++) await stream(20);
  const before = await residentBytes(server.pid);
  for (let i = 0; i < STREAMS / 20; i++) await stream(20);
  const grown = await residentBytes(server.pid) - before;
  assert(grown < GROWTH_BYTES, `it grew by ${grown} bytes`);
});
