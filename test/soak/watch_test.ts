import { assertAlmostEquals, assertEquals } from "@std/assert";
import { growthOf, lowsOf } from "./watch.ts";

const line = (bytesOf: (minute: number) => number) =>
  Array.from({ length: 21 }, (_, minute) => ({ minute, bytes: bytesOf(minute) }));

Deno.test("growthOf() is the share by which a line rises over its length", () => {
  assertAlmostEquals(growthOf(line(() => 500)), 0);
  // From 95 to 105: a tenth of the mean.
  assertAlmostEquals(growthOf(line((minute) => 95 + minute / 2)), 0.1);
  assertAlmostEquals(growthOf(line((minute) => 105 - minute / 2)), -0.1);
});

Deno.test("growthOf() takes ups and downs that even out for no growth", () => {
  assertAlmostEquals(growthOf(line((minute) => 100 + (minute % 2))), 0);
});

Deno.test("lowsOf() has the least of every minute", () => {
  const samples = [[0.1, 5], [0.9, 3], [1, 8], [1.5, 9], [3.2, 4], [3.3, 4], [3.9, 6]] as const;
  const lows = lowsOf(samples.map(([minute, bytes]) => ({ minute, bytes })));
  assertEquals(lows.map(({ minute, bytes }) => [minute, bytes]), [[0, 3], [1, 8], [3, 4]]);
});
