import { assertAlmostEquals } from "@std/assert";
import { growthOf } from "./watch.ts";

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
