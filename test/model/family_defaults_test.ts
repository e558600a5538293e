import { assertEquals } from "@std/assert";
import { StrategyOptions } from "../../src/diffusion/remasking/mod.ts";
import { readFamilyConfig } from "../../src/model/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { fixtureFolders } from "../support/fixtures.ts";

// Published: greedy quality at a threshold of 0.9, and for Fast-dLLM v2 a share of 0.95 to draw from;
// for Tiny-A2D the most probable token, one a step.
const GREEDY = { temperature: 0, strategy: "low_confidence_dynamic", threshold: 0.9 };
const EXPECTED: Readonly<Record<string, object>> = {
  "bd3lm": {},
  "sdar": GREEDY,
  "a2d-qwen3": { temperature: 0, strategy: "low_confidence_static" },
  "Fast_dLLM_Qwen": { ...GREEDY, top_p: 0.95 },
};

for (const family of ["bd3lm", "sdar", "fast_dllm"] as const) {
  Deno.test(`readFamilyConfig() has the sampling that the authors of ${family} recommend`, () => {
    for (const directory of fixtureFolders(family)) {
      using checkpoint = Checkpoint.open(directory);
      const { defaults } = readFamilyConfig(checkpoint);
      assertEquals(defaults, EXPECTED[String(checkpoint.config.model_type)]);
      const { strategy = "first_hitting", threshold } = defaults;
      const options = { strategy, ...(threshold !== undefined && { threshold }) };
      assertEquals(StrategyOptions.safeParse(options).success, true);
    }
  });
}
