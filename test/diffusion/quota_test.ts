import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { quota, scheduledQuota } from "../../src/diffusion/quota.ts";
import { commonFolder, readJson } from "../support/fixtures.ts";

for (
  const [masked, stepsLeft, expected] of [
    [0, 0, 0],
    [0, 5, 0],
    [1, 1, 1],
    [1, 128, 1],
    [4, 4, 1],
    [4, 3, 2],
    [4, 1, 4],
    [1024, 1, 1024],
    [1024, 1023, 2],
  ] as const
) {
  Deno.test(`quota() of ${masked} masks in ${stepsLeft} steps is ${expected}`, () => {
    assertEquals(quota(masked, stepsLeft), expected);
  });
}

Deno.test("quota() reveals everything by the last step, in falling portions", () => {
  for (let size = 1; size <= 33; size++) {
    for (let steps = 1; steps <= 40; steps++) {
      let masked = size;
      let before = Infinity;
      for (let left = steps; left > 0; left--) {
        const count = quota(masked, left);
        assertEquals(count <= before && count <= masked, true, `${size} masks, ${steps} steps`);
        masked -= count;
        before = count;
      }
      assertEquals(masked, 0, `${size} masks, ${steps} steps`);
    }
  }
});

Deno.test("quota() throws when masks are left and steps are not", () => {
  assertThrows(() => quota(1, 0), RangeError, "Cannot plan 1 masks: 0 steps left");
});

interface ScheduleCase {
  readonly block_size: number;
  readonly steps: number;
  readonly schedule: number[];
}

Deno.test("scheduledQuota() is SDAR's schedule", () => {
  const cases = readJson(join(commonFolder("qwen-common"), "schedule.json")) as ScheduleCase[];
  for (const { block_size: size, steps, schedule } of cases) {
    const actual = schedule.map((_, step) => scheduledQuota(size, { step, steps }));
    assertEquals(actual, schedule, `${size} masks in ${steps} steps`);
  }
});

Deno.test("scheduledQuota() wants one in each step as long as there are masks in a longer grid", () => {
  const wanted = [0, 1, 2, 3, 4].map((step) => scheduledQuota(3, { step, steps: 5 }));
  assertEquals(wanted, [1, 1, 1, 0, 0]);
});
