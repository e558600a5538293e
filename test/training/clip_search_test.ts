import { assertEquals } from "@std/assert";
import { searchTimes } from "../../src/training/clip_search.ts";

/** Blocks at evenly spread times whose loss is what `lossAt` says, up or down by a share. */
function blocks(lossAt: (time: number) => number, spread: (time: number) => number) {
  return Array.from({ length: 1000 }, (_, i) => {
    const time = (i + 0.5) / 1000;
    return { time, loss: lossAt(time) * (1 + (i % 2 === 0 ? 1 : -1) * spread(time)) };
  });
}

Deno.test("searchTimes() leaves out times at which losses vary", () => {
  // Weighted by 1 / t: the same at all times, but for a noise beyond 0.8 and below 0.3.
  const noisy = blocks((t) => t, (t) => t < 0.3 || t > 0.8 ? 0.9 : 0.01);
  assertEquals(searchTimes(noisy, 8), [0.3, 0.8]);
});

Deno.test("searchTimes() gives all times where there is nothing to go by", () => {
  assertEquals(searchTimes([], 8), [1e-3, 1]);
});
