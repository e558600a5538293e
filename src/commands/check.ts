import { readFamilyConfig } from "../model/family.ts";
import { Checkpoint, type CheckpointCode, CheckpointError } from "../weights/checkpoint.ts";
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
  /** Element type of the matrices, or `mixed`. */
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

/** Reads all that a server would read from `directory` but the tensors' data, without a device. */
export function check(directory: string): CheckReport {
  try {
    using checkpoint = Checkpoint.open(directory);
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

const USAGE = `Says in one line of JSON whether the checkpoint in a directory can be served.

Usage: deno task check DIR`;

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
  const [directory] = args;
  if (directory === "--help" || directory === "-h") {
    console.log(USAGE);
    return Promise.resolve(0);
  }
  if (directory === undefined || args.length > 1 || directory.startsWith("-")) {
    console.error(USAGE);
    return Promise.resolve(2);
  }
  const report = check(directory);
  console.log(JSON.stringify(report));
  return Promise.resolve(report.ok ? 0 : 1);
}

function dtypeOf({ tensors }: Checkpoint): string {
  const matrices = [...tensors.values()].filter(({ shape }) => shape.length > 1);
  const dtypes = new Set(matrices.map(({ dtype }) => dtype));
  return dtypes.size === 1 ? [...dtypes].join() : "mixed";
}
