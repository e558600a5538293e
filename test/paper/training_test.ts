import { assertEquals, assertMatch } from "@std/assert";
import type { ProgressRow } from "../../src/training/progress_file.ts";
import { drawTraining } from "./training.ts";

/** Twenty updates in blocks of 8 at a loss of 3 and 4 by turns, then twenty in blocks of 4 at 2. */
const ROWS = Array.from({ length: 40 }, (_, i): ProgressRow => ({
  ...{ update: i + 1, blockSize: i < 20 ? 8 : 4, loss: i < 20 ? 3 + i % 2 : 2 },
  ...{ gradientNorm: 1, rate: 1e-3, tokensPerSecond: 1, nelbo: i === 19 ? 3 : null },
  ...{ beta: 0, omega: 1, skipped: 0 },
}));
const SVG = drawTraining(ROWS, [{ blockSize: 8, nelbo: 4 }, { blockSize: 4, nelbo: 2 }]);

/** Places of all marks of a colour. */
function marks(colour: string): number[][] {
  const pattern = new RegExp(`<circle cx="([\\d.]+)" cy="([\\d.]+)" r="2.5" fill="${colour}"`, "g");
  return [...SVG.matchAll(pattern)].map(([, x, y]) => [Number(x), Number(y)]);
}

Deno.test("drawTraining() begins bounds before the first update, each with its own size", () => {
  // From 2 nats, at 352, to 4, at 16; from no update, at 56, to 30.5, at 784.
  assertEquals(marks("#4477aa"), [[56, 16], [533.4, 184]]);
  assertEquals(marks("#cc3311"), [[56, 352]]);
  assertMatch(SVG, />held-out NELBO, blocks of 8</);
});

Deno.test("drawTraining() averages losses of updates in blocks of one size", () => {
  // Blocks of 4 first: 2 on the updates from 21 to 40; then 3.5 on those from 1 to 20.
  assertEquals(marks("#228833"), [[784, 352]]);
  assertEquals(marks("#ee7733"), [[306.6, 100]]);
});
