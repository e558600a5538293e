import { resolve } from "@std/path";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { loadBd3lm } from "../../src/model/bd3lm_load.ts";
import { type Network, readFamilyConfig } from "../../src/model/mod.ts";
import { loadQwen } from "../../src/model/qwen_load.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { WEIGHT_FORMATS, type WeightFormat } from "../../src/weights/formats.ts";
import { ForwardHarness } from "../support/forward.ts";
import { noise } from "../support/noise.ts";
import type { Figures } from "./figures.ts";

/** Of models whose context is longer than that, and does not slide. */
const POSITIONS = 256;
const MODELS = {
  "bd3lm-tiny": "../fixtures/bd3lm-tiny",
  "bd3lm-small": "../fixtures/bd3lm-small",
  "sdar-tiny": "../fixtures/sdar-tiny",
  "fastdllm-tiny": "../fixtures/fastdllm-tiny",
  [SHIPPED_MODEL.id]: SHIPPED_MODEL.directory,
};

/**
 * Measures how far formats of weights move the logits of random tokens from those of f32: the root of
 * the mean square and the largest, as shares of the logits' own deviation.
 */
export async function benchFormats(): Promise<Figures> {
  using gpu = await Gpu.open();
  const figures: Figures = {};
  for (const [name, path] of Object.entries(MODELS)) {
    const directory = resolve(import.meta.dirname!, path);
    const exact = await logitsOf(gpu, directory, "f32");
    const mean = exact.reduce((sum, each) => sum + each, 0) / exact.length;
    const deviation = rootMeanSquare(exact.map((each) => each - mean));
    for (const format of WEIGHT_FORMATS.filter((each) => each !== "f32")) {
      const logits = await logitsOf(gpu, directory, format);
      const changes = logits.map((each, i) => Math.abs(each - exact[i]!) / deviation);
      const most = changes.reduce((a, b) => Math.max(a, b));
      figures[`logits of ${name}, ${format} against f32`] = {
        value: 100 * rootMeanSquare(changes),
        unit: "% of their deviation",
      };
      figures[`logits of ${name}, ${format} against f32, farthest`] = {
        value: 100 * most,
        unit: "% of their deviation",
      };
    }
  }
  return figures;
}

/** Logits of one window of random tokens, keys and values in f32 whatever the format. */
async function logitsOf(
  gpu: Gpu,
  directory: string,
  format: WeightFormat,
): Promise<Float32Array> {
  using checkpoint = Checkpoint.open(directory);
  const config = readFamilyConfig(checkpoint, { contextLength: POSITIONS });
  const options = { format, cacheFormat: "f32" } as const;
  using network: Network = config.modelType === "bd3lm"
    ? loadBd3lm(gpu, checkpoint, { ...options, config })
    : loadQwen(gpu, checkpoint, { ...options, config });
  const { vocabSize, modelLength: window, blockSize } = config;
  using harness = new ForwardHarness(gpu, network, { positions: window });
  const tokens = Array.from(
    noise(window, 4),
    (each) => Math.floor((each + 1) / 2 * (vocabSize - 1)),
  );
  return await harness.logits([{ tokens, position: 0, blockSize, window }]);
}

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, each) => sum + each * each, 0) / values.length);
}
