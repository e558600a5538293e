import { assert, assertEquals } from "@std/assert";
import { BytePairs, type Merge } from "../../src/text/byte_pairs.ts";
import { noise } from "../support/noise.ts";

/** The definition: the pair of lowest rank is joined, the leftmost of several, until none is left. */
function reference(word: string, merges: readonly Merge[]): string[] {
  const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
  const tokens = [...word];
  while (true) {
    const found = tokens.map((left, i) => ranks.get(`${left} ${tokens[i + 1]}`) ?? Infinity);
    const lowest = Math.min(Infinity, ...found);
    if (lowest === Infinity) return tokens;
    const i = found.indexOf(lowest);
    tokens.splice(i, 2, tokens[i]! + tokens[i + 1]!);
  }
}

function bytePairs(contents: readonly string[], merges: readonly Merge[]): BytePairs {
  return new BytePairs({ ids: new Map(contents.map((each, id) => [each, id])), contents }, merges);
}

Deno.test("BytePairs split() joins by importance, then from the left", () => {
  const merges: Merge[] = [["b", "c"], ["a", "b"], ["a", "a"], ["aa", "a"]];
  const pairs = bytePairs(["a", "b", "c", "bc", "ab", "aa", "aaa"], merges);
  assertEquals(pairs.split(""), []);
  assertEquals(pairs.split("a"), ["a"]);
  assertEquals(pairs.split("abc"), ["a", "bc"]);
  assertEquals(pairs.split("aab"), ["a", "ab"]);
  assertEquals(pairs.split("aaaaa"), ["aa", "aaa"]);
});

Deno.test("BytePairs split() leaves characters that are no tokens as they are", () => {
  const pairs = bytePairs(["a", "b", "ab"], [["a", "b"]]);
  assertEquals(pairs.split("?ab😀ab"), ["?", "ab", "😀", "ab"]);
});

Deno.test("BytePairs split() does what the definition says with random merges", () => {
  const draws = [...noise(200_000)].map(Math.abs).values();
  const draw = (count: number) => Math.min(count - 1, Math.floor(draws.next().value! * count));
  for (let i = 0; i < 100; i++) {
    const contents = ["a", "b", "c", "😀"];
    const merges: Merge[] = [];
    for (let m = draw(40); m >= 0; m--) {
      const [left, right] = [contents[draw(contents.length)]!, contents[draw(contents.length)]!];
      merges.push([left, right]);
      if (!contents.includes(left + right)) contents.push(left + right);
    }
    const pairs = bytePairs(contents, merges);
    for (let length = 0; length < 30; length++) {
      const word = Array.from({ length }, () => ["a", "b", "c", "😀", "?"][draw(5)]).join("");
      assertEquals(pairs.split(word), reference(word, merges));
    }
  }
});

Deno.test("BytePairs split() takes a word of a million characters", () => {
  const contents = ["a", "aa", "aaaa"];
  const pairs = bytePairs(contents, [["a", "a"], ["aa", "aa"]]);
  const start = performance.now();
  assertEquals(pairs.split("a".repeat(1_000_003)).length, 250_002);
  // Half a second in practice; quadratic work would take hours.
  assert(performance.now() - start < 10_000);
});
