import { assertEquals } from "@std/assert";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { tokenizerFiles } from "../../src/text/tokenizer_files.ts";
import { trainBpe } from "../../src/text/train_bpe.ts";

Deno.test("trainBpe() merges the most frequent pairs first", () => {
  // Words: "ab" once, " ab" twice, " abc" three times.
  const { tokens, merges } = trainBpe(["ab ab ab abc abc abc"], 256 + 9);
  // a b: 6 times; then space ab: 5; then Ġab c: 3; then nothing is left to merge.
  assertEquals(merges, [["a", "b"], ["Ġ", "ab"], ["Ġab", "c"]]);
  assertEquals(tokens.length, 256 + 3);
  assertEquals(tokens.slice(-3), ["ab", "Ġab", "Ġabc"]);
});

Deno.test("trainBpe() takes the smaller ids of pairs that are equally frequent", () => {
  const { merges } = trainBpe(["zy xw"], 256 + 2);
  // "zy" and " xw": all pairs once. x has the smallest id; the space's stands behind all letters.
  assertEquals(merges, [["x", "w"], ["z", "y"]]);
});

Deno.test("trainBpe() counts pairs that overlap once they are merged", () => {
  // aaaa: three pairs, but two after a merge; then one.
  assertEquals(trainBpe(["aaaa"], 256 + 2).merges, [["a", "a"], ["aa", "aa"]]);
});

Deno.test("tokenizerFiles() makes files that Tokenizer reads, for any text", () => {
  const text = "It's 3 o'clock,\n\té 中 😀 The cat sat. The cat sat on the mat.";
  const { tokenizer, config } = tokenizerFiles(trainBpe([text], 256 + 20));
  const opened = Tokenizer.fromJson(tokenizer, config);
  assertEquals(opened.vocabSize, 256 + 20 + 2);
  const ids = opened.encode(text);
  assertEquals(opened.decode(ids), text);
  assertEquals(ids.length < new TextEncoder().encode(text).length, true);
  assertEquals([276, 277].map((id) => opened.isSpecial(id)), [true, true]);
  // What looks like a special token is text.
  assertEquals(opened.encode("<|mask|>").includes(277), false);
});
