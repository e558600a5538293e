import { join } from "@std/path";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { loadTokenizer } from "../../src/commands/load_tokenizer.ts";
import { readTextFile } from "../../src/commands/text_file.ts";
import { estimate } from "../../src/evaluation/likelihood.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import { boundsOfWindows, windowsOf } from "../../src/evaluation/windows.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { readFamilyConfig } from "../../src/model/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { finish } from "../support/finish.ts";
import { loadNetwork } from "../support/forward.ts";
import type { Figures } from "./figures.ts";

const EXCERPT = join(import.meta.dirname!, "../fixtures/tinystories-valid-excerpt.txt.gz");
// As many as a change of a hundredth of a percent needs.
const DIGITS = 5;
const ROWS = 2048;

/**
 * Measures the bound of the shipped model on held-out stories, or those of the file that
 * `BD_NELBO_TEXT` names, for all formats of weights with the same masks.
 */
export async function benchNelbo(): Promise<Figures> {
  const { directory } = SHIPPED_MODEL;
  const windows = await readWindows(Deno.env.get("BD_NELBO_TEXT") || EXCERPT, directory);
  if (windows.length < 2) {
    throw new RangeError("Cannot measure: the text is shorter than 2 windows");
  }
  using gpu = await Gpu.open();
  const measure = (format: WeightFormat) => natsPerToken(gpu, format, windows);
  const exact = await measure("f32");
  const figures = boundFigures("f32", exact);
  for (const format of ["f16", "int8", "int4"] as const) {
    const nats = await measure(format);
    const whole = estimate(exact).mean;
    const change = estimate(nats.map((each, i) => 100 * (each - exact[i]!) / whole));
    Object.assign(figures, boundFigures(format, nats), {
      [`NELBO, ${format} against f32`]: { value: change.mean, unit: "%" },
      [`NELBO, ${format} against f32, standard error`]: { value: change.error, unit: "%" },
    });
  }
  return figures;
}

async function readWindows(path: string, directory: string): Promise<number[][]> {
  using checkpoint = Checkpoint.open(directory);
  const { vocabSize, modelLength: length, bosToken } = readFamilyConfig(checkpoint);
  const tokenizer = loadTokenizer(checkpoint, vocabSize);
  return windowsOf(await readTextFile(path), { tokenizer, bosToken, length });
}

/** The bound of each window in blocks of the model's own size. */
async function natsPerToken(
  gpu: Gpu,
  format: WeightFormat,
  windows: readonly (readonly number[])[],
): Promise<number[]> {
  using network = loadNetwork(gpu, SHIPPED_MODEL.directory, { format });
  using scorer = await Scorer.open(gpu, network, { rows: ROWS });
  const { blockSize } = network.config;
  const options = { estimator: { type: "counts" }, samples: 1, seed: 1, blockSize } as const;
  const bounds = await finish(boundsOfWindows(scorer, windows, options));
  return bounds.map(({ nelbo, tokens }) => nelbo / tokens);
}

function boundFigures(format: string, nats: readonly number[]): Figures {
  const { mean, error } = estimate(nats);
  return {
    [`NELBO, ${format}`]: { value: mean, unit: "nats/token", digits: DIGITS },
    [`NELBO, ${format}, standard error`]: { value: error, unit: "nats/token" },
    [`perplexity, ${format}`]: { value: Math.exp(mean), unit: "per token", digits: DIGITS },
  };
}
