import { assertAlmostEquals, assertEquals } from "@std/assert";
import { cutBlock, ENTROPY_WINDOW, tokenEntropy } from "../../src/engine/stop.ts";

const OFF = { left: 100, stopTokens: [], minEntropy: 0, recent: [] };

Deno.test("tokenEntropy() is the entropy of the tokens' frequencies, in nats", () => {
  assertEquals(tokenEntropy([]), 0);
  assertEquals(tokenEntropy([5]), 0);
  assertEquals(tokenEntropy([5, 5, 5]), 0);
  assertAlmostEquals(tokenEntropy([1, 2]), Math.LN2, 1e-12);
  // -(3/4 ln 3/4 + 1/4 ln 1/4)
  assertAlmostEquals(tokenEntropy([1, 1, 2, 1]), 0.5623351446188083, 1e-12);
});

Deno.test("cutBlock() leaves a block whole that nothing ends", () => {
  assertEquals(cutBlock([1], OFF), { tokens: [1], end: null });
  assertEquals(cutBlock([1, 2, 3, 4], OFF), { tokens: [1, 2, 3, 4], end: null });
});

for (
  const [left, expected] of [
    [1, { tokens: [1], end: "length" }],
    [3, { tokens: [1, 2, 3], end: "length" }],
    [4, { tokens: [1, 2, 3, 4], end: "length" }],
    [5, { tokens: [1, 2, 3, 4], end: null }],
  ] as const
) {
  Deno.test(`cutBlock() cuts a block of 4 where ${left} tokens are left`, () => {
    assertEquals<unknown>(cutBlock([1, 2, 3, 4], { ...OFF, left }), expected);
  });
}

Deno.test("cutBlock() cuts after the first stop token", () => {
  const stop = (block: number[], left = 100) => cutBlock(block, { ...OFF, left, stopTokens: [7] });
  assertEquals(stop([7]), { tokens: [7], end: "eos" });
  assertEquals(stop([7, 1, 7, 2]), { tokens: [7], end: "eos" });
  assertEquals(stop([1, 2, 3, 7]), { tokens: [1, 2, 3, 7], end: "eos" });
  // The last token that fits ends it both ways.
  assertEquals(stop([1, 7, 2, 3], 2), { tokens: [1, 7], end: "eos" });
  // Beyond the length there is no token.
  assertEquals(stop([1, 2, 7, 3], 2), { tokens: [1, 2], end: "length" });
});

Deno.test("cutBlock() takes a stop token for ordinary text where there is none to be", () => {
  assertEquals(cutBlock([1, 7, 2], OFF), { tokens: [1, 7, 2], end: null });
});

const SAME = Array<number>(ENTROPY_WINDOW).fill(3);

Deno.test("cutBlock() ends a repetition once the window is full, not before", () => {
  const entropy = { ...OFF, minEntropy: 0.01 };
  const almost = { ...entropy, recent: SAME.slice(3) };
  assertEquals(cutBlock([3, 3], almost), { tokens: [3, 3], end: null });
  assertEquals(cutBlock([3, 3, 3], almost), { tokens: [3, 3, 3], end: "entropy" });
});

Deno.test("cutBlock() looks at the last 256 tokens alone", () => {
  const varied = Array.from({ length: ENTROPY_WINDOW }, (_, i) => i);
  const end = (block: number[], recent: number[]) =>
    cutBlock(block, { ...OFF, left: 1000, minEntropy: 1, recent }).end;
  assertEquals(end(SAME, varied), "entropy");
  assertEquals(end(varied, SAME), null);
});

Deno.test("cutBlock() has the entropy end where the length would, too", () => {
  const options = { ...OFF, minEntropy: 4, recent: SAME, left: 2 };
  assertEquals(cutBlock([3, 3], options), { tokens: [3, 3], end: "entropy" });
});

Deno.test("cutBlock() compares strictly: entropy at the bound goes on", () => {
  const two = Array.from({ length: ENTROPY_WINDOW }, (_, i) => i % 2);
  const bound = tokenEntropy(two);
  assertEquals(cutBlock(two, { ...OFF, left: 1000, minEntropy: bound }).end, null);
  assertEquals(cutBlock(two, { ...OFF, left: 1000, minEntropy: 0.7 }).end, "entropy");
});

Deno.test("cutBlock() ends with the first of several stop tokens", () => {
  const options = { ...OFF, stopTokens: [7, 5] };
  assertEquals(cutBlock([1, 5, 2, 7], options), { tokens: [1, 5], end: "eos" });
  assertEquals(cutBlock([1, 7, 2, 5], options), { tokens: [1, 7], end: "eos" });
  assertEquals(cutBlock([1, 2], options), { tokens: [1, 2], end: null });
});
