import { assert, assertEquals } from "@std/assert";
import { seedWords, threefry, uniformAt } from "../../src/diffusion/random.ts";

// Known answers of Random123's `threefry2x32` with 20 rounds (kat_vectors).
const KNOWN_ANSWERS = [
  { counter: [0, 0], key: [0, 0], bits: [0x6b200159, 0x99ba4efe] },
  {
    counter: [0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    bits: [0x1cb996fc, 0xbb002be7],
  },
  {
    counter: [0x243f6a88, 0x85a308d3],
    key: [0x13198a2e, 0x03707344],
    bits: [0xc4923a9c, 0x483df7a0],
  },
] as const;

for (const { counter, key, bits } of KNOWN_ANSWERS) {
  Deno.test(`threefry() gives the published bits for counter ${counter}`, () => {
    assertEquals<number[]>(threefry(counter, key), [...bits]);
  });
}

Deno.test("seedWords() splits the largest seed", () => {
  assertEquals(seedWords(2 ** 53 - 1), [0xffffffff, 0x1fffff]);
});

Deno.test("uniformAt() differs by seed, choice, stream, position and step", () => {
  const at = { choice: 0, stream: "token", position: 5, step: 2 } as const;
  const values = [
    uniformAt(7, at),
    uniformAt(7 + 2 ** 32, at),
    uniformAt(7, { ...at, choice: 1 }),
    uniformAt(7, { ...at, stream: "order" }),
    uniformAt(7, { ...at, position: 6 }),
    uniformAt(7, { ...at, step: 3 }),
  ];
  assertEquals(new Set(values).size, values.length);
  assert(values.every((each) => each >= 0 && each < 1));
});
