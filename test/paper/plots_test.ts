import { assert, assertEquals, assertMatch } from "@std/assert";
import { drawPlots } from "./plots.ts";
import { RESULTS } from "./support.ts";

const plots = drawPlots(RESULTS);

/** Places of all marks of a colour. */
function marks(svg: string, colour: string): number[][] {
  const pattern = new RegExp(`<circle cx="([\\d.]+)" cy="([\\d.]+)" r="2.5" fill="${colour}"`, "g");
  return [...svg.matchAll(pattern)].map(([, x, y]) => [Number(x), Number(y)]);
}

for (const [name, svg] of Object.entries(plots)) {
  Deno.test(`drawPlots() draws ${name} with numbers only`, () => {
    assertMatch(svg, /^<svg [^>]*>\n[^]*<\/svg>\n$/);
    assert(!/NaN|Infinity|undefined/.test(svg));
  });
}

Deno.test("drawPlots() has block sizes from 2 nats up, so that differences are seen", () => {
  // 2.125 and 2.5 ± 0.0625 between 352, where 2 is, and 16.
  assertEquals(marks(plots.block_sizes, "#4477aa"), [[56, 277.3], [784, 53.3]]);
});

Deno.test("drawPlots() lets models go on from the end of the autoregressive one", () => {
  // Of 160 updates, and from 3 nats to 6.
  assertEquals(marks(plots.scratch, "#cc3311"), [
    ...[[283.5, 16], [511, 128]], // 5 at 100.
    ...[[511, 240], [784, 240]], // 4 at 100, 4 at 160.
  ]);
});

Deno.test("drawPlots() has variances against that of all times, over the middle of the range", () => {
  // 8/4 at 0.2505 and 1/4 at 0.75, of axes that end at 1 and 2.
  assertEquals(marks(plots.clip, "#4477aa"), [[238.4, 16], [602, 310]]);
});

Deno.test("drawPlots() has a series for each strategy", () => {
  // Of axes that double twice to 4, and end at 3.5.
  assertEquals(marks(plots.quality, "#4477aa"), [[56, 160]]);
  assertEquals(marks(plots.quality, "#cc3311"), [[784, 64], [420, 64]]);
});
