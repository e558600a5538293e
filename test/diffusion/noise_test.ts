import { join } from "@std/path";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  clipped,
  NOISE_SCHEDULES,
  noiseLevel,
  type NoiseSchedule,
  type NoiseScheduleName,
  stratify,
  timeAt,
} from "../../src/diffusion/noise.ts";
import { commonFolder, readJson } from "../support/fixtures.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = 2e-5;
const STEP = 1e-6;

const RECORDED_NAMES = { logarithmic: "log" } as Partial<Record<NoiseScheduleName, string>>;

interface RecordedSchedule {
  readonly move_chance: readonly number[];
  /** Counts negative. */
  readonly loss_scaling: readonly number[];
}

const recorded = readJson(join(commonFolder(), "schedules.json")) as
  & { readonly t: readonly number[] }
  & Readonly<Record<string, RecordedSchedule>>;

const schedules = Object.entries(NOISE_SCHEDULES) as [NoiseScheduleName, NoiseSchedule][];

function assertRatio(actual: number, expected: number, tolerance: number, label: string): void {
  assertAlmostEquals(actual / expected, 1, tolerance, label);
}

for (const [name, { moveChance, lossWeight }] of schedules) {
  Deno.test(`the ${name} schedule has the recorded move chances and weights`, () => {
    const expected = recorded[RECORDED_NAMES[name] ?? name]!;
    for (const [i, t] of recorded.t.entries()) {
      // The recording's t is an f32.
      const at = Math.fround(t);
      assertRatio(moveChance(at), expected.move_chance[i]!, RECORDED, `move chance at ${t}`);
      assertRatio(lossWeight(at), -expected.loss_scaling[i]!, RECORDED, `weight at ${t}`);
    }
  });

  Deno.test(`the ${name} schedule weighs by the slope of its move chance`, () => {
    // What bounds the weight of the cosine; the powers are bounded below 0.04.
    const bound = name === "cosine" ? 1e-3 : 0;
    for (const t of [0.04, 0.1, 0.25, 0.5, 0.75, 0.99]) {
      const slope = (moveChance(t + STEP) - moveChance(t - STEP)) / (2 * STEP);
      // Differences of numbers near 1 over a step of 1e-6 lose ten digits.
      assertRatio(lossWeight(t) * (moveChance(t) + bound), slope, 1e-7, `at ${t}`);
    }
  });

  Deno.test(`the ${name} schedule masks everything in the end, and more all the time`, () => {
    const times = Array.from({ length: 101 }, (_, i) => i / 100);
    const chances = times.map(moveChance);
    assertAlmostEquals(chances.at(-1)!, 1, 1e-12);
    assertAlmostEquals(chances[0]!, 0, 1.001e-3);
    // The powers are held above 1e-3 at first.
    assert(chances.slice(5).every((each, i) => each > chances[i + 4]!), "it rises");
  });

  Deno.test(`the ${name} schedule gives every share of masks the weight of one over it`, () => {
    // The integral of weight · f(move chance) over time is that of f(m) / m over m, whatever the
    // schedule: here f(m) = m², from what the move chance is at 0.2, for half the square to be left.
    const steps = 20_000;
    const width = 0.8 / steps;
    let integral = 0;
    for (let i = 0; i < steps; i++) {
      const t = 0.2 + (i + 0.5) * width;
      integral += width * lossWeight(t) * moveChance(t) ** 2;
    }
    const expected = (moveChance(1) ** 2 - moveChance(0.2) ** 2) / 2;
    // The bound of the cosine's weight takes at most 1e-3 / 0.05 of it away, at its lower end.
    assertRatio(integral, expected, name === "cosine" ? 2e-3 : 1e-7, "integral");
  });
}

Deno.test("clipped() draws times of a range, and weighs as the official code does", () => {
  const low = clipped(0.3, 0.8);
  assertEquals([timeAt(0, low.times), timeAt(0.5, low.times)], [0.3, 0.55]);
  assertEquals([low.moveChance(0.4), low.lossWeight(0.4)], [0.4, 2.5]);
  const high = clipped(0.6, 0.95);
  assertEquals([high.moveChance(0.7), high.lossWeight(0.7)], [0.7, 1]);
});

Deno.test("noiseLevel() gives the recorded levels", () => {
  const { t, sigma_from_p: levels } = recorded as unknown as Record<string, number[]>;
  t!.forEach((each, i) => assertRatio(noiseLevel(each), levels![i]!, RECORDED, `at ${each}`));
});

interface RecordedTimes {
  readonly eps_min: number;
  readonly eps_max: number;
  readonly antithetic: boolean;
  readonly block_size: number;
  readonly u: readonly (readonly number[])[];
  /** Of every token. */
  readonly t: readonly (readonly number[])[];
}

Deno.test("stratify() and timeAt() give the recorded times of blocks", () => {
  const cases = readJson(join(commonFolder(), "sample_t.json")) as readonly RecordedTimes[];
  assert(cases.some(({ antithetic }) => antithetic), "some are stratified");
  for (const { eps_min, eps_max, antithetic, block_size, u, t } of cases) {
    const uniforms = antithetic ? stratify(u.flat()) : u.flat();
    const times = uniforms.map((each) => timeAt(each, [eps_min, eps_max]));
    for (const [token, expected] of t.flat().entries()) {
      assertRatio(times[Math.floor(token / block_size)]!, expected, RECORDED, `token ${token}`);
    }
  }
});

Deno.test("stratify() puts one number into each part, in the order that it is given", () => {
  const numbers = stratify([0.5, 0, 0.25, 0.999], [2, 0, 3, 1]);
  [0.625, 0, 0.8125, 0.49975].forEach((each, i) => assertAlmostEquals(numbers[i]!, each, 1e-15));
});
