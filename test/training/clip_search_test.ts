import { assert, assertEquals } from "@std/assert";
import { INTERVALS, searchTimes } from "../../src/training/clip_search.ts";

/** Blocks at evenly spread times whose loss is what `lossAt` says, up or down by a share. */
function blocks(lossAt: (time: number) => number, spread: (time: number) => number) {
  return Array.from({ length: 1000 }, (_, i) => {
    const time = (i + 0.5) / 1000;
    return { time, loss: lossAt(time) * (1 + (i % 2 === 0 ? 1 : -1) * spread(time)) };
  });
}

Deno.test("INTERVALS are those of the official search", () => {
  // 11 of width 0.5, then two fewer with every tenth, and the whole range.
  assertEquals(INTERVALS.length, 1 + 11 + 9 + 7 + 5 + 3);
  assertEquals(INTERVALS[0], [1e-3, 1]);
  assertEquals(INTERVALS[1], [1e-3, 0.5]);
  assert(INTERVALS.some(([beta, omega]) => beta === 0.45 && omega === 0.95));
});

Deno.test("searchTimes() leaves out times at which losses vary", () => {
  // Weighted by 1 / t: the same at all times, but for a noise beyond 0.8 and below 0.3.
  const noisy = blocks((t) => t, (t) => t < 0.3 || t > 0.8 ? 0.9 : 0.01);
  assertEquals(searchTimes(noisy), [0.3, 0.8]);
});

Deno.test("searchTimes() gives all times where there is nothing to go by", () => {
  assertEquals(searchTimes([]), [1e-3, 1]);
});
