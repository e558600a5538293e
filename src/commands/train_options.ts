import { NOISE_SCHEDULES, type NoiseScheduleName, TIMES } from "../diffusion/noise.ts";
import { DECAYS } from "../training/learning_rate.ts";
import { OPTIMIZER } from "../training/optimizer.ts";
import type { SessionSettings, Stage } from "../training/session.ts";
import { SHIPPED_MODEL } from "./config.ts";
import {
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

const MAX_UPDATES = (1 << 20) - 2;
const updates = integer(1, MAX_UPDATES);
const directory: Kind<string> = { ...text, placeholder: "DIR" };
const file: Kind<string> = { ...text, placeholder: "FILE" };
// A union of the table's names.
const schedules = Object.keys(NOISE_SCHEDULES) as NoiseScheduleName[];

/** Numbers between two bounds, ends included. */
function between(min: number, max: number): Kind<number> {
  return {
    placeholder: "X",
    expected: `a number from ${min} to ${max}`,
    parse(text) {
      const value = Number(text);
      const isNumber = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
      return isNumber && value >= min && value <= max ? value : undefined;
    },
  };
}

const stages: Kind<readonly Stage[]> = {
  placeholder: "SIZE:N,…",
  expected: "block sizes with their updates, such as 256:850,8:150",
  parse(text) {
    const parts = text.split(",").map((each) => /^([1-9]\d{0,6}):([1-9]\d{0,6})$/.exec(each));
    if (parts.some((each) => each === null)) return undefined;
    return parts.map((each) => ({ blockSize: Number(each![1]), updates: Number(each![2]) }));
  },
};

const SETTINGS = {
  text: optional(file, "what to learn from; texts with <|endoftext|> between, .gz or not"),
  valid: optional(file, "held-out text of the same form"),
  out: optional(directory, "where checkpoints, progress.csv and loss.svg go"),
  model: setting(directory, SHIPPED_MODEL.directory, "checkpoint to go on from"),
  scratch: setting(toggle, false, "begin with random weights: config and tokenizer count"),
  resume: setting(toggle, false, "go on from the last checkpoint in --out, with the same flags"),
  updates: setting(updates, 1000, "steps of the optimiser, in blocks of the model's own size"),
  stages: optional(stages, "block sizes and updates in turn; 1 is autoregressive"),
  batch: setting(integer(1, 65_536), 32, "sequences of an update"),
  microBatch: setting(integer(1, 4096), 8, "sequences that go through the network at once"),
  rate: setting(between(0, 10), 3e-4, "learning rate at its peak"),
  warmUp: setting(integer(0, MAX_UPDATES), 100, "updates over which the rate rises"),
  decay: setting(oneOf(...DECAYS), "none", "how the rate falls to zero after that"),
  weightDecay: setting(between(0, 10), OPTIMIZER.weightDecay, "of AdamW"),
  clip: setting(between(0, 1e9), OPTIMIZER.clip, "largest norm of the gradient"),
  averaging: setting(between(0, 1), OPTIMIZER.averaging, "what the average of weights keeps"),
  dropout: setting(between(0, 0.9), 0.1, "share of values that are dropped"),
  schedule: setting(oneOf(...schedules), "loglinear", "how masks come with time"),
  beta: setting(between(TIMES[0], 1), TIMES[0], "least time, with the log-linear schedule"),
  omega: setting(between(TIMES[0], 1), TIMES[1], "largest time, with the log-linear schedule"),
  searchEvery: setting(integer(0, MAX_UPDATES), 0, "updates between searches for better times"),
  antithetic: setting(toggle, true, "spread the times of a batch evenly; =false does not"),
  evaluateEvery: setting(updates, 100, "updates between looks at the held-out text"),
  evaluateWindows: setting(integer(1, 65_536), 32, "windows of held-out text to look at"),
  saveEvery: setting(updates, 500, "updates between checkpoints"),
  seed: setting(integer(0, 2 ** 53 - 2), 1, "the same seed gives the same weights"),
};

/** The text for `--help`. */
export const TRAIN_HELP = `Trains a block diffusion language model on a text.

Usage: deno task train --text FILE --out DIR [FLAGS]

${describeSettings(SETTINGS)}
`;

/** What the command line of `train` asks for. */
export interface TrainOptions {
  readonly text: string;
  readonly valid: string | null;
  readonly out: string;
  readonly model: string;
  readonly isFromScratch: boolean;
  readonly isResumed: boolean;
  readonly evaluateWindows: number;
  /** Stages where they are given, else the updates in blocks of the model's own size. */
  readonly stages: readonly Stage[] | null;
  readonly updates: number;
  readonly session: Omit<SessionSettings, "stages">;
  /** What must be the same in a training that goes on. */
  readonly told: Readonly<Record<string, unknown>>;
}

/**
 * Settings that may change in a training that goes on: they decide how far, and what is looked at.
 */
const FREE = ["out", "resume", "updates", "evaluateEvery", "evaluateWindows", "saveEvery"];

/**
 * Reads the command line of `train`.
 *
 * @throws {UsageError} If a flag is unknown, is missing, or a value does not fit.
 */
export function parseTrainOptions(args: readonly string[]): TrainOptions {
  const { values, positional } = readSettings(SETTINGS, args, {});
  if (positional.length > 0) {
    throw new UsageError(
      `Cannot read the command line: "${positional[0]}" is no flag, expected flags alone`,
    );
  }
  const { text, out, beta, omega, schedule, microBatch, batch } = values;
  if (text === null || out === null) {
    throw new UsageError(`Cannot train: ${text === null ? "--text" : "--out"} is missing`);
  }
  if (beta >= omega) {
    throw new UsageError(`Cannot read --beta: value is ${beta}, expected less than ${omega}`);
  }
  const isClipped = beta !== TIMES[0] || omega !== TIMES[1] || values.searchEvery > 0;
  if (isClipped && schedule !== "loglinear") {
    throw new UsageError(`Cannot clip times: --schedule is ${schedule}, expected loglinear`);
  }
  if (values.searchEvery > 0 && values.valid === null) {
    throw new UsageError("Cannot search for times: --valid is missing");
  }
  const { beta1, beta2, epsilon } = OPTIMIZER;
  const { weightDecay, clip, averaging } = values;
  const told = Object.entries(values).filter(([name]) => !FREE.includes(name));
  return {
    ...{ text, out, valid: values.valid, model: values.model, updates: values.updates },
    ...{ isFromScratch: values.scratch, isResumed: values.resume, stages: values.stages },
    evaluateWindows: values.evaluateWindows,
    session: {
      ...{ batch, microBatch: Math.min(batch, microBatch), dropout: values.dropout, schedule },
      rate: { peak: values.rate, warmUp: values.warmUp, decay: values.decay },
      optimizer: { beta1, beta2, epsilon, weightDecay, clip, averaging },
      ...{ times: [beta, omega], isAntithetic: values.antithetic, seed: values.seed },
      ...{ searchEvery: values.searchEvery, evaluateEvery: values.evaluateEvery },
      saveEvery: values.saveEvery,
    },
    told: Object.fromEntries(told),
  };
}

/**
 * The paths that `train` reads, and those that it writes.
 *
 * @throws {UsageError} If the command line cannot be read.
 */
export function trainPaths(args: readonly string[]): { read: string[]; write: string[] } {
  const { text, valid, model, out } = parseTrainOptions(args);
  return { read: [text, valid ?? [], model].flat(), write: [out] };
}
