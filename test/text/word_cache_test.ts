import { assertEquals } from "@std/assert";
import { WordCache } from "../../src/text/word_cache.ts";

Deno.test("WordCache remembers words until one more would be too many", () => {
  const cache = new WordCache(2);
  cache.put("a", ["x"]);
  cache.put("b", ["y"]);
  assertEquals([cache.get("a"), cache.get("b")], [["x"], ["y"]]);
  cache.put("c", ["z"]);
  assertEquals([cache.get("a"), cache.get("c")], [undefined, ["z"]]);
});
