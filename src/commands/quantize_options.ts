import { resolve } from "@std/path";
import { describeSettings, oneOf, readSettings, setting, UsageError } from "./flags.ts";

const SETTINGS = {
  weights: setting(oneOf("int8", "int4", "f16"), "int8", "how matrices are stored"),
};

/** The text for `--help`. */
export const QUANTIZE_HELP = `Stores a checkpoint in fewer bits, for serve and all else to read.

Usage: deno task quantize DIR OUT [FLAGS]

${describeSettings(SETTINGS)}

OUT is made, or empty. It gets the matrices as --weights would make them at load, all other tensors
as they are or as halves, and the files of the tokenizer.
`;

/** What the command line of `quantize` asks for. */
export interface QuantizeCommand {
  readonly directory: string;
  readonly out: string;
  readonly weights: "int8" | "int4" | "f16";
}

/**
 * Reads the command line of `quantize`.
 *
 * @throws {UsageError} If it names not two directories, or a flag does not fit.
 */
export function parseQuantizeOptions(args: readonly string[]): QuantizeCommand {
  const { values: { weights }, positional } = readSettings(SETTINGS, args, {});
  const [directory, out, ...others] = positional;
  if (directory && out && others.length === 0) return { directory, out, weights };
  throw new UsageError(
    `Cannot quantize: ${positional.length} directories are given, expected DIR and OUT`,
  );
}

/** Where the checkpoint grows until it is whole: beside the place where it then appears. */
export function partialOf(out: string): string {
  return `${resolve(out)}.partial`;
}
