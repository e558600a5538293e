import { assert, assertEquals } from "@std/assert";
import { INT8 } from "../../../src/weights/formats/int8.ts";
import { noise } from "../../support/noise.ts";

Deno.test("INT8 rounds by half a step at most, a 127th of the group's largest", () => {
  const rows = noise(32 * 100, 4).map((each, i) => each * 10 ** (Math.floor(i / 32) % 6 - 3));
  const stored = INT8.store(rows, "w");
  const opened = INT8.open(stored);
  const scales = new Float32Array(stored.scales.buffer);
  for (let begin = 0; begin < rows.length; begin += 32) {
    const group = rows.subarray(begin, begin + 32);
    const step = Math.max(...group.map(Math.abs)) / 127;
    assertEquals(scales[begin / 32], Math.fround(step));
    group.forEach((weight, i) => {
      // f32 arithmetic beside.
      assert(Math.abs(weight - opened[begin + i]!) <= step / 2 * (1 + 1e-5), `${begin + i}`);
    });
  }
});

Deno.test("INT8 stores signed bytes", () => {
  const rows = new Float32Array(32).fill(-2, 3, 4).fill(1, 4, 5).fill(2, 31);
  const { values, scales } = INT8.store(rows, "w");
  const expected = new Int8Array(32).fill(-127, 3, 4).fill(64, 4, 5).fill(127, 31);
  assertEquals(new Int8Array(values.buffer), expected);
  assertEquals([...new Float32Array(scales.buffer)], [Math.fround(2 / 127)]);
});

Deno.test("INT8 rounds halves up, as Math.round does, and what is next to them to its side", () => {
  // The scale is 1: the quotients are the weights.
  const rows = new Float32Array(32);
  const near = [0.5, 1.5, 2.5, 63.5, 64.5, 125.5, 126.5].flatMap((half) =>
    [half, half - half * 2 ** -24, half + half * 2 ** -23].flatMap((each) => [each, -each])
  );
  for (let i = 0; i < near.length; i += 31) {
    rows.set([127, ...near.slice(i, i + 31)]);
    const { values, scales } = INT8.store(rows, "w");
    assertEquals(new Float32Array(scales.buffer), Float32Array.of(1));
    assertEquals(
      [...new Int8Array(values.buffer)],
      Array.from(rows, (each) => {
        const [floor, rest] = [Math.floor(each), each - Math.floor(each)];
        return rest < 0.5 ? floor : floor + 1;
      }),
    );
  }
});

Deno.test("INT8 keeps a group that is no number so, and no other", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    // Before it and behind it are others, which must not take its place.
    const rows = noise(96).fill(value, 40, 41);
    const scales = new Float32Array(INT8.store(rows, "w").scales.buffer);
    assertEquals(Array.from(scales, Number.isFinite), [true, false, true]);
  }
});
