import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { drawWeights } from "../../src/training/initial_weights.ts";
import { Parameters } from "../../src/training/parameters.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { fixtureFolders } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("drawWeights() is uniform by inputs, with closed gates and a silent head", async (gpu) => {
  using checkpoint = Checkpoint.open(fixtureFolders().find((each) => each.endsWith("tiny"))!);
  using parameters = new Parameters(gpu, readBd3lmConfig(checkpoint));
  drawWeights(parameters, 3);
  for (const parameter of parameters.all) {
    const values = await parameters.read(parameter, "weight");
    assertEquals(await parameters.read(parameter, "averaged"), values);
    const { name } = parameter;
    if (/norm/.test(name)) assert(values.every((each) => each === 1), name);
    else if (/adaLN|output_layer/.test(name)) assert(values.every((each) => each === 0), name);
    else {
      const inputs = { "mlp.0": 64, "mlp.2": 256, "attn": 64, "embedding": 64 };
      const known = Object.entries(inputs).find(([part]) => name.includes(`blocks.0.${part}`));
      const largest = values.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
      if (known && values.length > 1000) assertAlmostEquals(largest, 1 / Math.sqrt(known[1]), 2e-3);
      const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
      assert(Math.abs(mean) < 4 * largest / Math.sqrt(values.length), name);
    }
  }
});
