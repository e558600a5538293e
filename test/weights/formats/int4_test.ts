import { assert, assertEquals, assertThrows } from "@std/assert";
import { INT4 } from "../../../src/weights/formats/int4.ts";
import { noise } from "../../support/noise.ts";

/** Scale and offset of every group, and the integers, by the layout's definition. */
function parse(rows: Float32Array<ArrayBuffer>) {
  const { values, scales } = INT4.store(rows, "w");
  const halves = new Float16Array(scales.buffer);
  const integers = Array.from(rows, (_, i) => {
    const byte = values[Math.floor(i / 2)]!;
    return i % 2 === 0 ? byte % 16 : Math.floor(byte / 16);
  });
  return {
    scales: halves.filter((_, i) => i % 2 === 0),
    offsets: halves.filter((_, i) => i % 2),
    integers,
  };
}

Deno.test("INT4 keeps what lies on a line exactly, whatever the order", () => {
  // 0.5 n - 3 in a group with both ends, then one value throughout, then nothing but zeros.
  const order = Array.from({ length: 32 }, (_, i) => (7 * i + 3) % 16);
  const rows = Float32Array.from([
    ...order.map((integer) => 0.5 * integer - 3),
    ...Array(32).fill(-0.75),
    ...Array(32).fill(0),
  ]);
  const { scales, offsets, integers } = parse(rows);
  assertEquals([...scales], [0.5, 0, 0]);
  assertEquals([...offsets], [-3, -0.75, 0]);
  assertEquals(integers, [...order, ...Array(64).fill(0)]);
  assertEquals(INT4.open(INT4.store(rows, "w")), rows);
});

Deno.test("INT4 rounds every weight to the nearest of its group's 16 values", () => {
  const rows = noise(32 * 200, 5).map((each, i) => each * 10 ** (Math.floor(i / 32) % 6 - 3));
  const { scales, offsets, integers } = parse(rows);
  rows.forEach((weight, i) => {
    const group = Math.floor(i / 32);
    const [scale, offset] = [scales[group]!, offsets[group]!];
    const error = Math.abs(weight - (integers[i]! * scale + offset));
    const isInside = weight >= offset && weight <= offset + 15 * scale;
    // Half a step inside of the line; beyond its ends, the end.
    if (isInside) assert(error <= scale / 2 * (1 + 1e-12), `${i}: ${error} of ${scale}`);
    else assertEquals(integers[i], weight < offset ? 0 : 15);
  });
});

Deno.test("INT4 is no farther from a group than rounding between its ends", () => {
  const rows = noise(32 * 200, 6).map((each, i) => each ** 3 + (i % 3) / 10);
  const opened = INT4.open(INT4.store(rows, "w"));
  for (let begin = 0; begin < rows.length; begin += 32) {
    const group = rows.subarray(begin, begin + 32);
    const [least, greatest] = [Math.min(...group), Math.max(...group)];
    const step = (greatest - least) / 15;
    const errors = group.map((weight, i) => weight - opened[begin + i]!);
    const plain = group.map((weight) =>
      weight - (Math.round((weight - least) / step) * step + least)
    );
    const squares = (all: Float32Array) => all.reduce((sum, each) => sum + each ** 2, 0);
    assert(squares(errors) <= 32 * (step / 2) ** 2);
    // Scale and offset as halves move the line by an eleventh bit.
    assert(squares(errors) <= 1.05 * squares(plain), `${begin}`);
  }
});

Deno.test("INT4 makes a group with what is no number so, and no other", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const rows = noise(96).fill(value, 40, 41);
    const opened = INT4.open(INT4.store(rows, "w"));
    assertEquals(
      Array.from(opened, Number.isNaN),
      Array.from(rows, (_, i) => i >= 32 && i < 64),
    );
  }
});

Deno.test("INT4 refuses what a half cannot hold", () => {
  for (const value of [65_520, -1e9]) {
    const rows = noise(64).fill(value, 5, 6);
    assertThrows(
      () => INT4.store(rows, "w"),
      RangeError,
      `Cannot store "w" as int4: it holds ${value}`,
    );
  }
});
