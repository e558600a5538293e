import { readFamilyConfig } from "../model/family.ts";
import { Checkpoint, type CheckpointCode, CheckpointError } from "../weights/checkpoint.ts";
import { WEIGHT_FORMATS, type WeightFormat } from "../weights/formats.ts";
import { CAPACITY } from "./capacity.ts";
import {
  asksForHelp,
  describeSettings,
  optional,
  readSettings,
  text,
  UsageError,
} from "./flags.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { loadTokenizer } from "./load_tokenizer.ts";
import { estimateServing, type ServingOptions } from "./serving_memory.ts";

/** What `check` prints: whether a server could start from a directory. */
export type CheckReport = SoundReport | DamageReport;

/** A directory that can be served. */
export interface SoundReport {
  readonly ok: true;
  readonly model_type: string;
  readonly parameters: number;
  /** Of the tensor files. */
  readonly bytes: number;
  /** Element type of the matrices, or `mixed`; of a quantized checkpoint, its format. */
  readonly dtype: string;
  readonly vocab_size: number;
  readonly context_length: number;
  readonly default_block_size: number;
  readonly block_sizes: readonly number[];
  /** Device memory of a server, bytes, by the format of its weights. */
  readonly memory_bytes: Readonly<Record<WeightFormat, number>>;
}

/** The first thing found wrong with a directory. */
export interface DamageReport {
  readonly ok: false;
  /** Relative to the directory. */
  readonly file: string;
  readonly code: CheckpointCode;
  /** Names the tensor or key. */
  readonly message: string;
}

/** How {@linkcode check} sees a checkpoint; all may be left out. */
export interface CheckOptions extends Partial<Omit<ServingOptions, "format">> {
  /** Directory of a tokenizer for checkpoints without one. */
  readonly tokenizer?: string;
}

/** Reads all that a server would read from `directory` but the tensors' data, without a device. */
export function check(directory: string, options: CheckOptions = {}): CheckReport {
  try {
    using checkpoint = Checkpoint.open(directory, options);
    const config = readFamilyConfig(checkpoint);
    const tokenizer = loadTokenizer(checkpoint, config.vocabSize);
    loadChatTemplate(checkpoint, tokenizer);
    return {
      ok: true,
      model_type: config.modelType,
      parameters: config.parameters,
      bytes: checkpoint.sizeBytes,
      dtype: dtypeOf(checkpoint),
      vocab_size: config.vocabSize,
      context_length: config.modelLength,
      default_block_size: config.blockSize,
      block_sizes: config.blockSizes,
      memory_bytes: memoryOf(checkpoint, options),
    };
  } catch (error) {
    if (error instanceof CheckpointError) return damageReport(error);
    throw error;
  }
}

const SETTINGS = {
  tokenizer: optional({ ...text, placeholder: "DIR" }, "tokenizer of a checkpoint without one"),
  ...CAPACITY,
};

const USAGE =
  `Says in one line of JSON whether the checkpoint in a directory can be served, and what
memory of the device that takes.

Usage: deno task check DIR [FLAGS]

${describeSettings(SETTINGS)}`;

/** The line that `check` and a server that cannot start print for a checkpoint they refuse. */
export function damageReport({ file, code, message }: CheckpointError): DamageReport {
  return { ok: false, file, code, message };
}

/**
 * Runs `check DIR`: prints one JSON line.
 *
 * @param args What follows the command's name.
 * @returns Exit status: 0 sound, 1 damaged, 2 usage.
 */
export function run(args: readonly string[]): Promise<number> {
  if (asksForHelp(args)) {
    console.log(USAGE);
    return Promise.resolve(0);
  }
  const options = parseCheckOptions(args);
  if (options === null) {
    console.error(USAGE);
    return Promise.resolve(2);
  }
  const { directory, ...others } = options;
  const report = check(directory, others);
  console.log(JSON.stringify(report));
  return Promise.resolve(report.ok ? 0 : 1);
}

/** What the command line of `check` asks for; null where it asks for nothing sensible. */
export function parseCheckOptions(
  args: readonly string[],
): CheckOptions & { readonly directory: string } | null {
  try {
    const { values, positional: [directory, ...rest] } = readSettings(SETTINGS, args, {});
    if (directory === undefined || rest.length > 0) return null;
    const { tokenizer, ...capacity } = values;
    return { directory, ...capacity, ...(tokenizer !== null && { tokenizer }) };
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

function memoryOf(
  checkpoint: Checkpoint,
  {
    context = CAPACITY.context.initial,
    maxConcurrent = CAPACITY.maxConcurrent.initial,
  }: CheckOptions,
): SoundReport["memory_bytes"] {
  const totals = WEIGHT_FORMATS.map((format) => [
    format,
    estimateServing(checkpoint, { format, context, maxConcurrent }).total,
  ]);
  return Object.fromEntries(totals); // One entry for each of them.
}

function dtypeOf({ tensors, quantization }: Checkpoint): string {
  if (quantization !== null) return quantization.format.toUpperCase();
  const matrices = [...tensors.values()].filter(({ shape }) => shape.length > 1);
  const dtypes = new Set(matrices.map(({ dtype }) => dtype));
  return dtypes.size === 1 ? [...dtypes].join() : "mixed";
}
