import { assertEquals } from "@std/assert";
import type { DecodingRules } from "../../src/model/decoding_rules.ts";
import { RowForecast } from "../../src/model/row_forecast.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { BD3LM_RULES, FAST_DLLM_RULES, SDAR_RULES } from "../support/decoding_rules.ts";
import { requestOf } from "../support/device_engine.ts";

const PASSES = 60;

interface Case {
  readonly strategy: SequenceOptions["strategy"];
  readonly blockSize: number;
  /** Tokens of the prompt that reach into the first block. */
  readonly rest: number;
  readonly subBlockSize: number;
  readonly rules: DecodingRules;
}

function forecast({ rest, rules, ...options }: Case): [rows: number, heads: number][] {
  const prompt = Array(2 * options.blockSize + rest).fill(0);
  const counted = new RowForecast(requestOf(prompt, options), rules);
  return Array.from({ length: PASSES }, () => {
    const { rows, heads } = counted.next();
    return [rows, heads];
  });
}

/**
 * What the device does, by the rules of plan.wgsl and reveal.wgsl in plain words: a clean block is
 * committed beside the first step of the next one, or where logits are shifted by itself, with one
 * head for the next one's first token. Sub-blocks come one after the other. Of m masks with s steps
 * left ⌈m / s⌉ fall, and with no step left all of them; or the schedule says how many.
 */
function passesOf(each: Case, headsAll: boolean): [number, number][] {
  const { strategy, blockSize, rest, subBlockSize, rules } = each;
  const steps = "steps" in strategy && strategy.steps ? strategy.steps : subBlockSize;
  // Whether each position of the block is masked.
  let block = Array.from({ length: blockSize }, (_, i) => i >= rest);
  if (rules.shiftsLogits && rest === 0) block.fill(false);
  let step = 0;
  return Array.from({ length: PASSES }, () => {
    const commits = !block.includes(true);
    if (commits) {
      block = Array.from({ length: blockSize }, (_, i) => !(rules.shiftsLogits && i === 0));
      step = 0;
      if (rules.shiftsLogits) return [blockSize, 1];
    }
    const first = Math.floor(block.indexOf(true) / subBlockSize) * subBlockSize;
    const masks = [...block.keys()].filter((i) => block[i] && i < first + subBlockSize);
    const schedule = Math.floor(subBlockSize / steps) + (step < subBlockSize % steps ? 1 : 0);
    const left = Math.ceil(masks.length / Math.max(1, steps - step));
    const wanted = rules.quota === "schedule" ? Math.min(schedule, masks.length) : left;
    const falling = strategy.strategy === "first_hitting" ? 1 : wanted;
    masks.slice(0, falling).forEach((i) => block[i] = false);
    step = falling === masks.length ? 0 : step + 1;
    return [commits ? 2 * blockSize : blockSize, headsAll ? masks.length : falling];
  });
}

const RULES = [BD3LM_RULES, SDAR_RULES, FAST_DLLM_RULES];
/** Blocks, prompts and sub-blocks. */
const SHAPES = [[1, 0, 1], [4, 0, 4], [4, 3, 4], [8, 5, 8], [16, 1, 16], [8, 3, 2], [16, 0, 4]];
const STEPS = [1, 2, 3, 8, 16, 40];

/** Every rule and shape. */
function casesOf(strategy: SequenceOptions["strategy"]): Case[] {
  return RULES.flatMap((rules) =>
    SHAPES.map(([blockSize = 1, rest = 0, subBlockSize = 1]) => ({
      ...{ strategy, blockSize, rest, subBlockSize, rules },
    }))
  );
}

Deno.test("RowForecast knows the rows and heads of first_hitting", () => {
  for (const each of casesOf({ strategy: "first_hitting" })) {
    assertEquals(forecast(each), passesOf(each, false), JSON.stringify(each));
  }
});

for (
  const [strategy, headsAll] of [
    ["sequential", false],
    ["random", false],
    ["low_confidence_static", true],
  ] as const
) {
  Deno.test(`RowForecast knows the rows and heads of ${strategy}, whatever the steps`, () => {
    const counts = [{}, ...STEPS.map((steps) => ({ steps }))];
    for (const each of counts.flatMap((steps) => casesOf({ strategy, ...steps }))) {
      assertEquals(forecast(each), passesOf(each, headsAll), JSON.stringify(each));
    }
  });
}

Deno.test("RowForecast expects the most where the network decides what falls", () => {
  const strategies: SequenceOptions["strategy"][] = [
    { strategy: "ancestral", steps: 5 },
    { strategy: "low_confidence_dynamic", threshold: 0.9 },
    { strategy: "entropy_bounded", entropy_bound: 0.5 },
  ];
  const shape = { blockSize: 8, rest: 3, subBlockSize: 4 };
  for (const strategy of strategies) {
    const fused = forecast({ ...shape, strategy, rules: SDAR_RULES });
    assertEquals(fused, Array(PASSES).fill([16, 4]), strategy.strategy);
    const separate = forecast({ ...shape, strategy, rules: FAST_DLLM_RULES });
    assertEquals(separate, Array(PASSES).fill([8, 4]), strategy.strategy);
  }
});
