import { NOISE_SCHEDULES, type NoiseScheduleName, TIMES } from "../diffusion/noise.ts";
import type { Estimator } from "../evaluation/noisy_copy.ts";
import { WEIGHT_FORMATS, type WeightFormat } from "../weights/formats.ts";
import {
  argumentsOf,
  describeSettings,
  integer,
  type Kind,
  oneOf,
  optional,
  readSettings,
  setting,
  text,
  toggle,
  UsageError,
} from "./flags.ts";

/** What the command line of `evaluate` asks for. */
export interface EvaluateOptions {
  /** As given: a directory, or `id=directory`; `null` leaves the choice to the environment. */
  readonly model: string | null;
  /** Storage on the device; `null` leaves the choice to the environment, then to the file. */
  readonly weights: WeightFormat | null;
  /** Path of the text. */
  readonly text: string;
  /** `null` is the model's own, `all` the whole window. */
  readonly blockSizes: readonly (number | "all")[] | null;
  readonly estimator: Estimator;
  /** How the estimator is called. */
  readonly noise: string;
  readonly samples: number;
  readonly seed: number;
  /** Windows to look at, from the first on; all where `null`. */
  readonly windows: number | null;
  readonly json: boolean;
  readonly searchClip: boolean;
}

// A copy of a window each, all of them in memory.
const MAX_SAMPLES = 1024;
const MAX_SEED = Number.MAX_SAFE_INTEGER;

const SCHEDULES = Object.keys(NOISE_SCHEDULES) as NoiseScheduleName[]; // The keys of a record.

const blockSizes: Kind<readonly (number | "all")[]> = {
  placeholder: "N,…",
  expected: 'sizes such as "1,4,all"',
  parse(text) {
    const sizes = text.split(",").map((each) => each === "all" ? each : Number(each));
    const isSize = (each: number | "all") => each === "all" || Number.isInteger(each) && each > 0;
    return sizes.every(isSize) ? sizes : undefined;
  },
};

const TEXT = { text: optional({ ...text, placeholder: "FILE" }, "the text; may be gzip'd") };

const SETTINGS = {
  ...TEXT,
  model: optional({ ...text, placeholder: "DIR" }, "checkpoint; else the one that ships"),
  weights: optional(
    oneOf(...WEIGHT_FORMATS),
    "storage on the device; else as precise as the file",
  ),
  blockSize: optional(blockSizes, "tokens denoised together; else the model's own"),
  windows: optional(integer(1, MAX_SEED), "look at the first ones only"),
  estimator: optional(oneOf("counts", "t"), "draw counts of masks, or times; else counts"),
  schedule: optional(
    { ...oneOf(...SCHEDULES), placeholder: "NAME" },
    `noise schedule of the times; else ${SCHEDULES[0]}`,
  ),
  samples: optional(integer(1, MAX_SAMPLES), "draws of the noise; else 1"),
  seed: setting(integer(0, MAX_SEED), 1, "the same seed draws the same noise"),
  json: setting(toggle, false, "print one JSON object"),
  searchClip: setting(toggle, false, "search the range of times whose losses vary least"),
};

/** The text for `--help`. */
export const EVALUATE_HELP = `Prints how likely a model finds a text: bound and perplexity.

Usage: deno task evaluate --text FILE [FLAGS]

The text is cut into windows of the model's context length, whose first tokens are given. Stories
are separated by lines "<|endoftext|>", each begins with the model's BOS, and a rest shorter than a
window is left out. Blocks of one token know no noise: there the bound is the likelihood itself.
What stands beside ± is the standard error over windows.

${describeSettings(SETTINGS)}

Schedules: ${SCHEDULES.join(", ")}
`;

/**
 * Reads the command line of `evaluate`.
 *
 * @throws {UsageError} If a flag is unknown, a value does not fit, or two exclude each other.
 */
export function parseEvaluateOptions(args: readonly string[]): EvaluateOptions {
  const { values, positional } = readSettings(SETTINGS, args, {});
  const { text, blockSize, estimator, schedule, samples, ...rest } = values;
  if (positional.length > 0) {
    throw new UsageError(
      `Cannot read the command line: ${JSON.stringify(positional[0])} is no flag`,
    );
  }
  if (text === null) throw new UsageError("Cannot evaluate: --text is missing, expected a file");
  if (schedule !== null && estimator !== "t") {
    throw new UsageError(
      "Cannot draw noise: --schedule is given, expected --estimator t beside it",
    );
  }
  if (rest.searchClip && (estimator ?? schedule ?? samples) !== null) {
    throw new UsageError(
      "Cannot search: --search-clip has noise of its own, expected no --estimator and no --samples",
    );
  }
  return {
    ...rest,
    text,
    blockSizes: blockSize,
    samples: samples ?? 1,
    ...noiseOf(estimator ?? "counts", schedule ?? "loglinear"),
  };
}

/**
 * The file that the command line names, for the permission to read it; `null` without one.
 *
 * @throws {UsageError} If it is given twice or without a value.
 */
export function readTextPath(args: readonly string[]): string | null {
  return readSettings(TEXT, argumentsOf("--text", args), {}).values.text;
}

function noiseOf(
  estimator: "counts" | "t",
  schedule: NoiseScheduleName,
): Pick<EvaluateOptions, "estimator" | "noise"> {
  if (estimator === "counts") return { estimator: { type: "counts" }, noise: "counts" };
  const drawn = { type: "times", schedule: NOISE_SCHEDULES[schedule], times: TIMES } as const;
  return { estimator: drawn, noise: `t, ${schedule}` };
}
