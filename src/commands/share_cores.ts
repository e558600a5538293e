import { Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import { type ModelSource, parseConfig, readModels } from "./config.ts";
import type { Invocation } from "./permissions.ts";

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
 * Keeps a software driver from sharing kernels of small models among cores, where waking them costs
 * more than it saves; `serve` gets an engine for each core instead. What the user says stands.
 */
export function shareCores(
  command: "serve" | "generate" | "chat" | "profile",
  { args, environment }: Invocation,
  cores: number,
): Invocation["environment"] {
  if (environment[DRIVER_THREADS] !== undefined) return environment;
  const unshared = { ...environment, [DRIVER_THREADS]: "0" };
  const isSmall = () => readModels(args, environment).every(isSmallModel);
  if (command !== "serve") return isSmall() ? unshared : environment;
  const { engines, maxConcurrent } = parseConfig(args, environment);
  if (engines !== null) return engines > 1 ? unshared : environment;
  if (!isSmall()) return environment;
  return { ...unshared, BD_ENGINES: String(Math.min(cores, maxConcurrent, MOST_ENGINES)) };
}

function isSmallModel(source: ModelSource): boolean {
  try {
    using checkpoint = Checkpoint.open(source.directory, source);
    return checkpoint.sizeBytes <= SMALL_BYTES;
  } catch (error) {
    // The command itself says so, and better.
    if (error instanceof CheckpointError) return false;
    throw error;
  }
}
