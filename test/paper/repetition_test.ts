import { assertEquals } from "@std/assert";
import { repeatedShare } from "./repetition.ts";

for (
  const [tokens, share] of [
    [[], 0],
    [[7, 7, 7], 0],
    [[1, 2, 3, 4], 0],
    [[1, 2, 3, 4, 5], 0],
    // Three runs alike, two of them again.
    [[7, 7, 7, 7, 7, 7], 2 / 3],
    // 1234, 2341, 3412, 4123, 1234.
    [[1, 2, 3, 4, 1, 2, 3, 4], 1 / 5],
    // 1 and 23 are not 12 and 3.
    [[1, 23, 4, 5, 12, 3, 4, 5], 0],
  ] as const
) {
  Deno.test(`repeatedShare() of [${tokens}] in fours is ${share}`, () => {
    assertEquals(repeatedShare(tokens, 4), share);
  });
}

Deno.test("repeatedShare() counts runs of the length that is asked for", () => {
  assertEquals(repeatedShare([1, 2, 1, 2, 1], 2), 1 / 2);
  assertEquals(repeatedShare([1, 1, 2, 1], 1), 1 / 2);
});
