import { join } from "@std/path";
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { assertClose } from "../support/assert_close.ts";
import { commonFolder, readJson } from "../support/fixtures.ts";
import {
  argmax,
  crossingNucleus,
  drawCdf,
  drawGumbel,
  entropy,
  nucleus,
  probabilities,
  propose,
  tokenEntropy,
  topK,
} from "./reveal.ts";

const common = commonFolder();

interface NucleusCase {
  readonly p: number[];
  readonly top_p: number;
  readonly out: number[];
  readonly kept: number;
}

Deno.test("nucleus() keeps what the original keeps", () => {
  const cases = readJson(join(common, "nucleus.json")) as NucleusCase[];
  for (const [i, { p, top_p, out, kept }] of cases.entries()) {
    const actual = nucleus(p, top_p);
    assertClose(actual, out, {}, `case ${i}`);
    assertEquals(actual.filter((each) => each > 0).length, kept, `case ${i}`);
  }
});

Deno.test("nucleus() drops the entry that crosses the bound, and takes equals by rising id", () => {
  assertClose(nucleus([0.25, 0.25, 0.25, 0.25], 0.5), [0.5, 0.5, 0, 0]);
  assertClose(nucleus([0.125, 0.625, 0.25], 0.875), [0, 5 / 7, 2 / 7]);
  assertClose(nucleus([0.125, 0.625, 0.25], 0.874), [0, 1, 0]);
});

interface FilterCase {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly logits: number[];
  readonly probs: number[];
}

Deno.test("crossingNucleus() after topK() gives what SDAR's filters give", () => {
  const cases = readJson(join(commonFolder("qwen-common"), "filters.json")) as FilterCase[];
  for (const [i, { temperature, top_k, top_p, logits, probs }] of cases.entries()) {
    const p = probabilities(logits, { temperature, mask: -1 });
    assertClose(crossingNucleus(topK(p, top_k), top_p), probs, {}, `case ${i}`);
  }
});

Deno.test("crossingNucleus() keeps the entry that crosses the bound, and one after an equal sum", () => {
  assertClose(crossingNucleus([0.25, 0.25, 0.25, 0.25], 0.4), [0.5, 0.5, 0, 0]);
  assertClose(crossingNucleus([0.25, 0.25, 0.25, 0.25], 0.5), [1 / 3, 1 / 3, 1 / 3, 0]);
  assertClose(crossingNucleus([0.125, 0.625, 0.25], 0.6), [0, 1, 0]);
});

interface CategoricalCase {
  readonly p: number[];
  readonly u_gumbel: number[];
  readonly gumbel_index: number;
  readonly u_cdf: number;
  readonly cdf_index: number;
}

Deno.test("drawCdf() and drawGumbel() draw what the original draws", () => {
  const cases = readJson(join(common, "categorical.json")) as CategoricalCase[];
  for (const [i, each] of cases.entries()) {
    assertEquals(drawCdf(each.p, each.u_cdf), each.cdf_index, `case ${i}`);
    assertEquals(drawGumbel(each.p, each.u_gumbel), each.gumbel_index, `case ${i}`);
  }
});

Deno.test("drawCdf() takes the smallest id whose cumulative weight exceeds u", () => {
  assertEquals(drawCdf([0, 1, 1], 0), 1);
  assertEquals(drawCdf([2, 1, 1], 0.5), 1);
  assertEquals(drawCdf([2, 1, 1, 0], 1 - 2 ** -24), 2);
});

Deno.test("drawCdf() throws when there is nothing to draw", () => {
  assertThrows(() => drawCdf([0, 0], 0), RangeError, "sum to 0");
});

interface StopCase {
  readonly name: string;
  readonly x: number[];
  readonly entropy: number;
}

Deno.test("tokenEntropy() gives what the original's stop condition measures", () => {
  for (const each of readJson(join(common, "stop_conditions.json")) as StopCase[]) {
    assertClose([tokenEntropy(each.x)], [each.entropy], {}, each.name);
  }
});

Deno.test("entropy() counts nats, and impossible entries nothing", () => {
  assertAlmostEquals(entropy([0.5, 0, 0.25, 0.25]), 1.5 * Math.LN2, 1e-12);
});

Deno.test("topK() keeps ties at its edge together", () => {
  assertClose(topK([0.1, 0.4, 0.25, 0.25], 2), [0, 4 / 9, 2.5 / 9, 2.5 / 9]);
  assertClose(topK([0.1, 0.4, 0.25, 0.25], 1), [0, 1, 0, 0]);
  assertClose(topK([0.1, 0.4, 0.25, 0.25], 0), [0.1, 0.4, 0.25, 0.25]);
});

Deno.test("argmax() takes the lowest of equals", () => {
  assertEquals(argmax([1, 3, 3]), 1);
});

// Weights 1, 2, 5 at temperature 1; the mask would win if it could.
const logits = [0, Math.log(2), Math.log(5), 9];
const plain = { temperature: 1, topK: 0, topP: 1, mask: 3, u: 0.2 };

Deno.test("probabilities() leaves the mask out and sharpens with a low temperature", () => {
  assertClose(probabilities(logits, plain), [1 / 8, 2 / 8, 5 / 8, 0]);
  const sharp = probabilities(logits, { temperature: 0.5, mask: 3 });
  assertClose(sharp, [1 / 30, 4 / 30, 25 / 30, 0]);
});

Deno.test("propose() gives the drawn token its probability", () => {
  const { token, confidence, entropy: nats } = propose(logits, plain);
  assertEquals(token, 1);
  assertAlmostEquals(confidence, 0.25, 1e-12);
  assertAlmostEquals(nats, entropy([1 / 8, 2 / 8, 5 / 8]), 1e-12);
});

Deno.test("propose() measures confidence after the filters and entropy before", () => {
  const { token, confidence, entropy: nats } = propose(logits, { ...plain, topK: 2 });
  assertEquals(token, 1);
  assertAlmostEquals(confidence, 2 / 7, 1e-12);
  assertAlmostEquals(nats, entropy([1 / 8, 2 / 8, 5 / 8]), 1e-12);
});

Deno.test("propose() at temperature 0 takes the most probable token, unfiltered", () => {
  const greedy = propose(logits, { ...plain, temperature: 0, topK: 1, u: 0 });
  assertEquals(greedy.token, 2);
  assertAlmostEquals(greedy.confidence, 5 / 8, 1e-12);
});
