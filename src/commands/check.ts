import { readFamilyConfig } from "../model/family.ts";
import { Checkpoint, type CheckpointCode, CheckpointError } from "../weights/checkpoint.ts";
import { asksForHelp, optional, readSettings, text, UsageError } from "./flags.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { loadTokenizer } from "./load_tokenizer.ts";

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

/**
 * Reads all that a server would read from `directory` but the tensors' data, without a device.
 *
 * @param options `tokenizer` is the directory of a tokenizer for checkpoints without one.
 */
export function check(directory: string, options: { tokenizer?: string } = {}): CheckReport {
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
    };
  } catch (error) {
    if (error instanceof CheckpointError) return damageReport(error);
    throw error;
  }
}

const SETTINGS = {
  tokenizer: optional({ ...text, placeholder: "DIR" }, "tokenizer of a checkpoint without one"),
};

const USAGE = `Says in one line of JSON whether the checkpoint in a directory can be served.

Usage: deno task check DIR [--tokenizer DIR]`;

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
): { directory: string; tokenizer?: string } | null {
  try {
    const { values: { tokenizer }, positional } = readSettings(SETTINGS, args, {});
    const [directory] = positional;
    if (directory === undefined || positional.length > 1) return null;
    return tokenizer === null ? { directory } : { directory, tokenizer };
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

function dtypeOf({ tensors, quantization }: Checkpoint): string {
  if (quantization !== null) return quantization.format.toUpperCase();
  const matrices = [...tensors.values()].filter(({ shape }) => shape.length > 1);
  const dtypes = new Set(matrices.map(({ dtype }) => dtype));
  return dtypes.size === 1 ? [...dtypes].join() : "mixed";
}
