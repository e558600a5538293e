import { assertEquals } from "@std/assert";
import { subgroupSizeOf } from "../../src/gpu/subgroups.ts";

/** What 64 lanes see in subgroups of neighbours. */
function seenIn(size: number) {
  const lanes = Array.from({ length: 64 }, (_, lane) => lane);
  const first = lanes.map((lane) => Math.floor(lane / size) * size);
  return {
    first: Uint32Array.from(first),
    // Arithmetic series: the mean of the first and last lane, times their number.
    sum: Uint32Array.from(first, (each) => (2 * each + size - 1) / 2 * size),
    size: new Uint32Array(64).fill(size),
  };
}

for (const size of [1, 8, 32, 64]) {
  Deno.test(`subgroupSizeOf() believes lanes that agree on ${size}`, () => {
    assertEquals(subgroupSizeOf(seenIn(size)), size);
  });
}

Deno.test("subgroupSizeOf() believes nothing else", () => {
  const zeros = new Uint32Array(64);
  assertEquals(subgroupSizeOf({ first: zeros, sum: zeros, size: zeros }), null);
  for (const name of ["first", "sum", "size"] as const) {
    const seen = seenIn(8);
    seen[name][63]! += 1;
    assertEquals(subgroupSizeOf(seen), null);
  }
});
