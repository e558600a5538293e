import { assertEquals } from "@std/assert";
import { splitWord } from "../../src/text/word_piece.ts";

function split(word: string, ...tokens: string[]): string[] | null {
  return splitWord([...word], {
    tokens: new Map(tokens.map((each, id) => [each, id])),
    prefix: "##",
    longest: Math.max(...tokens.map((each) => [...each].length)),
  });
}

Deno.test("splitWord() takes the longest token that fits, from the left", () => {
  assertEquals(split("unaffable", "un", "##aff", "##able", "##a"), ["un", "##aff", "##able"]);
  assertEquals(split("aaaaa", "a", "aa", "##a", "##aa"), ["aa", "##aa", "##a"]);
  assertEquals(split("a", "a"), ["a"]);
});

Deno.test("splitWord() gives null when a part is in no token", () => {
  assertEquals(split("unx", "un", "##y"), null);
  assertEquals(split("xun", "un", "##un"), null);
});

Deno.test("splitWord() splits between characters, not between halves of one", () => {
  assertEquals(split("😀😁", "😀", "##😁"), ["😀", "##😁"]);
});
