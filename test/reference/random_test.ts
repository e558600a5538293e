import { assertEquals } from "@std/assert";
import { threefry2x32, type Words } from "./random.ts";

// Random123's kat_vectors, "threefry2x32 20": key, counter, result.
const KNOWN_ANSWERS: readonly (readonly [key: Words, counter: Words, result: Words])[] = [
  [[0, 0], [0, 0], [0x6b200159, 0x99ba4efe]],
  [[0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x1cb996fc, 0xbb002be7]],
  [[0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3], [0xc4923a9c, 0x483df7a0]],
];

for (const [key, counter, result] of KNOWN_ANSWERS) {
  Deno.test(`threefry2x32() gives the published answer for counter ${counter}`, () => {
    assertEquals(threefry2x32(key, counter), result);
  });
}
