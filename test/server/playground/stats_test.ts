import { assertEquals } from "@std/assert";
import type { BlocksEvent } from "../../../src/server/playground/events.js";
import { format, RunStats } from "../../../src/server/playground/stats.js";

/** The parts of an event that are counted. */
function event(name: BlocksEvent["event"], data: Record<string, unknown>): BlocksEvent {
  return { event: name, id: null, data } as unknown as BlocksEvent;
}

const block = (tokens: number[], nfe: number, ms: number) => event("block", { tokens, nfe, ms });

Deno.test("RunStats counts while a run goes on, the block under way included", () => {
  const stats = new RunStats();
  assertEquals([stats.tokensPerPass, stats.tokensPerSecond], [0, 0]);
  stats.add(event("start", { seed: 7 }), 1000);
  assertEquals([stats.seed, stats.tokensPerSecond], [7, 0]);
  stats.add(event("step", { tokens: [1, null, 2, null], nfe: 1 }), 1500);
  assertEquals([stats.tokens, stats.passes, stats.tokensPerPass], [2, 1, 2]);
  assertEquals(stats.tokensPerSecond, 4);
  stats.add(block([1, 3, 2, 4], 2, 600), 2000);
  assertEquals([stats.tokens, stats.passes, stats.tokensPerPass], [4, 2, 2]);
  stats.add(event("step", { tokens: [5, null, null, null], nfe: 1 }), 2250);
  assertEquals([stats.tokens, stats.passes], [5, 3]);
  assertEquals(stats.blockMs, [600]);
});

Deno.test("RunStats takes the server's word in the end, as it cut and timed", () => {
  const stats = new RunStats();
  stats.add(event("start", { seed: 7 }), 0);
  stats.add(event("step", { tokens: [1, 2, 3, 4], nfe: 1 }), 10);
  stats.add(block([1, 2], 1, 10), 10);
  assertEquals([stats.tokens, stats.firstBlockMs], [2, 10]);
  const timings = { first_block_ms: 12.5, tokens_per_second: 99.5 };
  stats.add(event("done", { passes: 2, timings }), 5000);
  assertEquals([stats.tokens, stats.passes, stats.tokensPerPass], [2, 2, 1]);
  assertEquals([stats.tokensPerSecond, stats.firstBlockMs], [99.5, 12.5]);
});

Deno.test("RunStats counts blocks without steps", () => {
  const stats = new RunStats();
  for (const ms of [3, 4]) stats.add(block([1, 2, 3, 4], 4, ms), ms);
  assertEquals([stats.tokens, stats.passes, stats.blockMs], [8, 8, [3, 4]]);
});

Deno.test("format() keeps the digits that matter", () => {
  assertEquals([0, 1, 3.14159, 12.345, 1234.5].map(format), ["0", "1", "3.14", "12.3", "1235"]);
});
