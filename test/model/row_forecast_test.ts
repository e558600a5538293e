import { assertEquals } from "@std/assert";
import { RowForecast } from "../../src/model/row_forecast.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { requestOf } from "../support/device_engine.ts";

const PASSES = 60;

interface Case {
  readonly strategy: SequenceOptions["strategy"];
  readonly blockSize: number;
  /** Tokens of the prompt that reach into the first block. */
  readonly rest: number;
}

function forecast({ strategy, blockSize, rest }: Case): [rows: number, heads: number][] {
  const prompt = Array(2 * blockSize + rest).fill(0);
  const counted = new RowForecast(requestOf(prompt, { strategy, blockSize }));
  return Array.from({ length: PASSES }, () => {
    const { rows, heads } = counted.next();
    return [rows, heads];
  });
}

/**
 * What the device does, by the rules of plan.wgsl and reveal.wgsl in plain words: a clean block is
 * committed beside the first step of the next one; of m masks with s steps left ⌈m / s⌉ fall, and
 * with no step left all of them.
 */
function passesOf({ strategy, blockSize, rest }: Case, headsAll: boolean): [number, number][] {
  const steps = "steps" in strategy && strategy.steps ? strategy.steps : blockSize;
  let [masked, step] = [blockSize - rest, 0];
  return Array.from({ length: PASSES }, () => {
    const commits = masked === 0;
    if (commits) [masked, step] = [blockSize, 0];
    const left = Math.max(1, steps - step++);
    const falling = strategy.strategy === "first_hitting" ? 1 : Math.ceil(masked / left);
    const heads = headsAll ? masked : falling;
    masked -= falling;
    return [commits ? 2 * blockSize : blockSize, heads];
  });
}

const SHAPES = [[1, 0], [4, 0], [4, 3], [8, 5], [16, 1]] as const;
const STEPS = [1, 2, 3, 8, 16, 40];

Deno.test("RowForecast knows the rows and heads of first_hitting", () => {
  for (const [blockSize, rest] of SHAPES) {
    const each: Case = { strategy: { strategy: "first_hitting" }, blockSize, rest };
    assertEquals(forecast(each), passesOf(each, false), JSON.stringify(each));
  }
});

for (
  const [strategy, headsAll] of [["sequential", false], ["low_confidence_static", true]] as const
) {
  Deno.test(`RowForecast knows the rows and heads of ${strategy}, whatever the steps`, () => {
    for (const [blockSize, rest] of SHAPES) {
      const plain: Case = { strategy: { strategy }, blockSize, rest };
      assertEquals(forecast(plain), passesOf(plain, headsAll), JSON.stringify(plain));
      for (const steps of STEPS) {
        const each: Case = { strategy: { strategy, steps }, blockSize, rest };
        assertEquals(forecast(each), passesOf(each, headsAll), JSON.stringify(each));
      }
    }
  });
}

Deno.test("RowForecast expects the most where the network decides what falls", () => {
  const strategies: SequenceOptions["strategy"][] = [
    { strategy: "ancestral", steps: 5 },
    { strategy: "low_confidence_dynamic", threshold: 0.9 },
    { strategy: "entropy_bounded", entropy_bound: 0.5 },
  ];
  for (const strategy of strategies) {
    const passes = forecast({ strategy, blockSize: 8, rest: 3 });
    assertEquals(passes, Array(PASSES).fill([16, 8]), strategy.strategy);
  }
});
