import { assertEquals } from "@std/assert";
import { widen } from "../../src/weights/widen.ts";

/** f32 bit patterns of the given half bit patterns. */
function bitsOf(dtype: "F16" | "BF16", halves: readonly number[]): number[] {
  const values = new Float32Array(halves.length);
  widen(dtype, Uint16Array.from(halves), values);
  return [...new Uint32Array(values.buffer)];
}

Deno.test("widen() gives the f32 bits of f16 edge values", () => {
  // Half → single by hand: exponent + 112, mantissa shifted left by 13; subnormals normalised.
  const table: [half: number, single: number][] = [
    [0x0000, 0x00000000], // 0
    [0x8000, 0x80000000], // -0
    [0x3c00, 0x3f800000], // 1
    [0xbc00, 0xbf800000], // -1
    [0x3c01, 0x3f802000], // 1 + 2^-10
    [0x7bff, 0x477fe000], // 65504, the largest
    [0x0400, 0x38800000], // 2^-14, the smallest normal
    [0x03ff, 0x387fc000], // the largest subnormal
    [0x0001, 0x33800000], // 2^-24, the smallest subnormal
    [0x8001, 0xb3800000],
    [0x7c00, 0x7f800000], // infinity
    [0xfc00, 0xff800000],
  ];
  assertEquals(bitsOf("F16", table.map(([half]) => half)), table.map(([, single]) => single));
});

Deno.test("widen() gives every finite f16 the value that its definition gives", () => {
  const halves = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
  const values = new Float32Array(halves.length);
  widen("F16", halves, values);
  for (let bits = 0; bits < halves.length; bits++) {
    const exponent = (bits >> 10) & 31;
    if (exponent === 31) continue;
    const fraction = (bits & 1023) / 1024;
    const size = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
    const value = bits & 0x8000 ? -size : size;
    if (!Object.is(values[bits], value)) assertEquals(values[bits], value, `bits ${bits}`);
  }
});

Deno.test("widen() keeps NaN as NaN in both formats", () => {
  const values = new Float32Array(3);
  for (
    const [dtype, halves] of [["F16", [0x7e00, 0xfe01, 0x7c01]], ["BF16", [
      0x7fc0,
      0xffff,
      0x7f81,
    ]]] as const
  ) {
    widen(dtype, Uint16Array.from(halves), values);
    assertEquals([...values], [NaN, NaN, NaN]);
  }
});

Deno.test("widen() puts bf16 into the upper half of f32", () => {
  const halves = [0, 0x8000, 0x3f80, 0x0001, 0x7f80, 0xff80, 0x7f7f, 0xc2f7];
  assertEquals(bitsOf("BF16", halves), halves.map((half) => half * 65536));
});
