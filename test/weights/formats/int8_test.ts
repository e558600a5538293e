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
