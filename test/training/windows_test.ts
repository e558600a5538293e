import { assert, assertEquals, assertThrows } from "@std/assert";
import { heldOutWindows, joinTokens, splitTexts, Windows } from "../../src/training/windows.ts";

const TOKENS = Uint32Array.from({ length: 103 }, (_, i) => i);

Deno.test("splitTexts() cuts at separators and drops empty texts", () => {
  const file = "One.\n\nTwo.\n<|endoftext|>\nThree <|endoftext|> four.\n<|endoftext|>\n\n";
  assertEquals(splitTexts(file), ["One.\n\nTwo.", "Three <|endoftext|> four."]);
});

Deno.test("joinTokens() puts an end token around every text", () => {
  const encode = (text: string) => [...text].map((each) => each.charCodeAt(0));
  const tokens = joinTokens(["ab", "", "c"], { encode, endToken: 9 });
  assertEquals([...tokens], [9, 97, 98, 9, 9, 99, 9]);
});

Deno.test("Windows.at() gives every window once an epoch, in another order each time", () => {
  const windows = new Windows(TOKENS, { length: 10, seed: 4 });
  assertEquals(windows.perEpoch, 9);
  const epochs = [0, 1].map((epoch) => windows.take(9 * epoch, 9).map((window) => [...window]));
  for (const epoch of epochs) {
    const first = epoch.map(([begin]) => begin!).sort((a, b) => a - b);
    // Ten apart, from a shift below ten on.
    assertEquals(first, first.map((_, i) => first[0]! + 10 * i));
    assert(first[0]! < 10);
    for (const window of epoch) assertEquals(window, window.map((_, i) => window[0]! + i));
  }
  assert(epochs[0]!.some((window, i) => window[0] !== epochs[1]![i]![0]));
});

Deno.test("Windows.at() depends on the seed and the number alone", () => {
  const [one, two, other] = [4, 4, 5].map((seed) => new Windows(TOKENS, { length: 10, seed }));
  two!.at(30);
  assertEquals(two!.take(3, 12), one!.take(3, 12));
  assert(other!.take(0, 9).some((window, i) => window[0] !== one!.at(i)[0]));
});

Deno.test("Windows throws when a text has no two windows", () => {
  assertThrows(() => new Windows(TOKENS, { length: 52, seed: 1 }), RangeError, "at least 104");
});

Deno.test("heldOutWindows() spreads over the text without an overlap", () => {
  const first = (most: number) =>
    heldOutWindows(TOKENS, { length: 10, most }).map((window) => [window[0], window.length]);
  assertEquals(first(3), [[0, 10], [30, 10], [60, 10]]);
  assertEquals(first(99).length, 10);
  assertEquals(first(99).at(-1), [90, 10]);
});
