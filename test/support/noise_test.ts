import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { noise } from "./noise.ts";

Deno.test("noise() repeats for a seed and differs between seeds", () => {
  assertEquals(noise(100, 7), noise(100, 7));
  assertNotEquals(noise(100, 7), noise(100, 8));
  assertEquals(noise(10, 7), noise(100, 7).slice(0, 10));
});

Deno.test("noise() is roughly uniform in [-1, 1]", () => {
  const values = [...noise(20000)];
  assert(values.every((value) => value >= -1 && value <= 1));
  for (let tenth = 0; tenth < 10; tenth++) {
    const low = -1 + tenth / 5;
    const count = values.filter((value) => value >= low && value < low + 0.2).length;
    // 2000 expected; six standard deviations are 255.
    assert(Math.abs(count - 2000) < 255, `${count} values from ${low}`);
  }
});
