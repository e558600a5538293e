import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Block } from "../../../src/diffusion/block.ts";
import { reveal, STRATEGIES, StrategyOptions } from "../../../src/diffusion/remasking/mod.ts";
import { commonFolder, readJson } from "../../support/fixtures.ts";

const MASK = 9;

// One position is special to each rule, and a different one for most.
const proposal = {
  tokens: [1, 2, 3, 4],
  confidence: [0.1, 0.95, 0.2, 0.3],
  entropy: [2, 2, 0.1, 2],
};
const order = [0.9, 0.7, 0.6, 0.1];

for (
  const [name, tokens] of [
    ["first_hitting", [MASK, MASK, MASK, 4]],
    ["ancestral", [MASK, MASK, MASK, 4]],
    ["sequential", [1, MASK, MASK, MASK]],
    ["random", [1, MASK, MASK, MASK]],
    ["low_confidence_static", [MASK, 2, MASK, MASK]],
    ["low_confidence_dynamic", [MASK, 2, MASK, MASK]],
    ["entropy_bounded", [MASK, MASK, 3, MASK]],
  ] as const
) {
  Deno.test(`reveal() follows the rule of ${name}`, () => {
    const options = StrategyOptions.parse({ strategy: name });
    const block = new Block([MASK, MASK, MASK, MASK], MASK);
    const after = reveal(block, proposal, { options, step: 0, quota: 1, order });
    assertEquals(after.tokens, [...tokens]);
  });
}

Deno.test("STRATEGIES begins with the default", () => {
  assertEquals(STRATEGIES, [
    "first_hitting",
    "ancestral",
    "sequential",
    "random",
    "low_confidence_static",
    "low_confidence_dynamic",
    "entropy_bounded",
  ]);
});

Deno.test("StrategyOptions fills in the defaults of the contract", () => {
  const defaults = STRATEGIES.map((strategy) => StrategyOptions.parse({ strategy }));
  assertEquals(defaults, [
    { strategy: "first_hitting" },
    { strategy: "ancestral", steps: 128 },
    { strategy: "sequential" },
    { strategy: "random" },
    { strategy: "low_confidence_static" },
    { strategy: "low_confidence_dynamic", threshold: 0.9 },
    { strategy: "entropy_bounded", entropy_bound: 0.35 },
  ]);
});

for (
  const options of [
    { strategy: "first_hitting", steps: 4 },
    { strategy: "sequential", threshold: 0.5 },
    { strategy: "low_confidence_dynamic", threshold: 0 },
    { strategy: "low_confidence_dynamic", threshold: 1.1 },
    { strategy: "entropy_bounded", entropy_bound: 0 },
    { strategy: "entropy_bounded", entropy_bound: 100.5 },
    { strategy: "ancestral", steps: 0 },
    { strategy: "ancestral", steps: 1025 },
    { strategy: "sequential", steps: 1.5 },
    { strategy: "random", threshold: 0.5 },
    { strategy: "shuffled" },
    {},
  ]
) {
  Deno.test(`StrategyOptions refuses ${JSON.stringify(options)}`, () => {
    assertEquals(StrategyOptions.safeParse(options).success, false);
  });
}

interface SelectCase {
  readonly strategy: StrategyOptions["strategy"];
  readonly masked: number[];
  readonly confidence: number[];
  readonly entropy: number[];
  readonly u_rank: number[];
  readonly n: number;
  readonly threshold: number;
  readonly entropy_bound: number;
  readonly transfer: number[];
}

Deno.test("reveal() transfers what SDAR's and JetEngine's strategies transfer", () => {
  const cases = readJson(join(commonFolder("qwen-common"), "select.json")) as SelectCase[];
  for (const [i, each] of cases.entries()) {
    const { strategy, threshold, entropy_bound, confidence, entropy, u_rank: order } = each;
    const tokens = each.masked.map((masked) => masked ? MASK : 7);
    const bounds = { ...(strategy === "low_confidence_dynamic" && { threshold }) };
    const limits = { ...(strategy === "entropy_bounded" && { entropy_bound }) };
    const options = StrategyOptions.parse({ strategy, ...bounds, ...limits });
    // The schedule has no say in the entropy bound, but that one falls.
    const quota = strategy === "entropy_bounded" ? 1 : each.n;
    const proposed = { tokens: tokens.map(() => 1), confidence, entropy };
    const step = { options, step: 0, quota, order };
    const after = reveal(new Block(tokens, MASK), proposed, step).tokens;
    const transferred = [...after.keys()].filter((at) => after[at] === 1);
    assertEquals(transferred, each.transfer, `case ${i}, ${strategy}`);
  }
});
