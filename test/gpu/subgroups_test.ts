import { assertEquals } from "@std/assert";
import { findAdapter } from "../../src/commands/adapter.ts";
import { requestDevice, subgroupSizeOf } from "../../src/gpu/subgroups.ts";

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

Deno.test("requestDevice() finds subgroups of a power of two, or none, on this machine", async () => {
  const adapter = await findAdapter();
  const { device, subgroupSize: size } = await requestDevice(adapter!);
  device.destroy();
  assertEquals(size === null || [1, 2, 4, 8, 16, 32, 64].includes(size), true);
});

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
