import { defaultFormat } from "../model/mod.ts";
import { Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { type Config, type ModelSource, parseConfig, readModels } from "./config.ts";
import type { Invocation } from "./permissions.ts";
import { estimateServing } from "./serving_memory.ts";

/**
 * How many threads Mesa's software driver shares a kernel among; with 0 it runs in the thread that the
 * device has anyway.
 */
const DRIVER_THREADS = "LP_NUM_THREADS";

/** Checkpoints of so many bytes, or less, make for kernels that are not worth sharing. */
const SMALL_BYTES = 64 * 2 ** 20;

/** Engines that nobody asked for, at most: each has its own weights and compiles its own kernels. */
const MOST_ENGINES = 8;

/**
 * Keeps Mesa's software driver from sharing kernels of small models among cores, where waking them
 * costs more than it saves; `serve` gets an engine for each core instead, as far as memory goes. What
 * the user says stands.
 *
 * @returns The environment for the command.
 * @throws {UsageError} If the settings cannot be read.
 */
export function shareCores(
  command: "serve" | "generate" | "chat" | "profile",
  { args, environment }: Invocation,
  cores: number,
): Invocation["environment"] {
  const { [DRIVER_THREADS]: threads = "" } = environment;
  if (threads !== "" && threads !== "0") return environment;
  const unshared = { ...environment, [DRIVER_THREADS]: "0" };
  if (command !== "serve") {
    return readModels(args, environment).every(isSmall) ? unshared : environment;
  }
  const config = parseConfig(args, environment);
  if (config.engines !== null) return config.engines > 1 ? unshared : environment;
  if (!config.models.every(isSmall)) return environment;
  return { ...unshared, BD_ENGINES: String(enginesFor(config, cores)) };
}

function isSmall(source: ModelSource): boolean {
  return fromCheckpoint(source, ({ sizeBytes }) => sizeBytes <= SMALL_BYTES);
}

/** Engines of each model: all of them together one a core, where their memory suffices. */
function enginesFor({ models, maxConcurrent, ...rest }: Config, cores: number): number {
  const { weights, context, deviceMemoryBytes } = rest;
  const fit = (source: ModelSource, engines: number) =>
    fromCheckpoint(source, (checkpoint) => {
      const format = weights ?? defaultFormat(checkpoint);
      const options = { format, context, maxConcurrent, engines };
      return estimateServing(checkpoint, options).total <= (deviceMemoryBytes ?? Infinity);
    });
  const most = Math.floor(Math.min(cores, MOST_ENGINES) / models.length);
  for (let engines = Math.min(most, maxConcurrent); engines > 1; engines--) {
    if (models.every((source) => fit(source, engines))) return engines;
  }
  return 1;
}

/** Asks a checkpoint; `false` for one that cannot be opened, which the command says, and better. */
function fromCheckpoint(
  source: ModelSource,
  ask: (checkpoint: Checkpoint) => boolean,
): boolean {
  try {
    using checkpoint = Checkpoint.open(source.directory, source);
    return ask(checkpoint);
  } catch (error) {
    if (error instanceof CheckpointError) return false;
    throw error;
  }
}
