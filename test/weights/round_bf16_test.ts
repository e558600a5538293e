import { assertEquals, assertThrows } from "@std/assert";
import { roundBf16 } from "../../src/weights/round_bf16.ts";

/** The f16 nearest to a value by the definition: a multiple of the spacing there, halves to even. */
function nearestHalf(value: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(value))));
  const spacing = 2 ** (exponent - 10);
  const steps = Math.abs(value) / spacing;
  const [below, rest] = [Math.floor(steps), steps % 1];
  const isUp = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  return Math.sign(value) * (below + (isUp ? 1 : 0)) * spacing;
}

function valueOf(bf16: number): number {
  return new DataView(Uint32Array.of(bf16 << 16).buffer).getFloat32(0, true);
}

Deno.test("roundBf16() gives every number that halves can hold the nearest of them", () => {
  for (let bf16 = 0; bf16 < 1 << 16; bf16++) {
    const value = valueOf(bf16);
    if (value === 0 || !(Math.abs(value) < 65_520)) continue;
    const bits = Uint16Array.of(bf16);
    roundBf16(bits, "w");
    const half = new Float16Array(bits.buffer)[0]!;
    if (half !== nearestHalf(value)) assertEquals(half, nearestHalf(value), `${value}`);
  }
});

Deno.test("roundBf16() keeps zeros with their signs, infinities and NaN", () => {
  const bits = Uint16Array.of(0, 0x8000, 0x7f80, 0xff80, 0x7fc0, 0xff81);
  roundBf16(bits, "w");
  assertEquals([...new Float16Array(bits.buffer)], [0, -0, Infinity, -Infinity, NaN, NaN]);
});

Deno.test("roundBf16() refuses what is too large for halves", () => {
  // 65,536, its negative, and the largest of all.
  for (const bf16 of [0x4780, 0xc780, 0x7f7f]) {
    const message = `Cannot store "w" as f16: it holds ${valueOf(bf16)}, expected at most 65504`;
    assertThrows(() => roundBf16(Uint16Array.of(0x3f80, bf16), "w"), RangeError, message);
  }
  roundBf16(Uint16Array.of(0x477f), "w"); // 65,280
});
