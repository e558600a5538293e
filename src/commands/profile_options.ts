import type { Values } from "./flags.ts";
import { describeGeneration, type GenerationOptions, readGeneration } from "./generate_options.ts";
import { TRACE_SETTINGS } from "./trace_file.ts";

/** What the command line of `profile` asks for. */
export type ProfileOptions = GenerationOptions & Values<typeof TRACE_SETTINGS>;

/** The text for `--help`. */
export const PROFILE_HELP = `Prints which kernels one generation spends its time in.

Usage: deno task profile [PROMPT] [FLAGS]
       deno task profile [FLAGS] -- PROMPT   where the prompt starts with a dash

The device takes the time of every dispatch, which makes the whole a little slower. Two blocks that
do not count come first, because drivers compile late. No file is written but by --trace-file.

${describeGeneration(TRACE_SETTINGS)}`;

/**
 * Reads the command line of `profile`.
 *
 * @throws {UsageError} If a flag is unknown or a value does not fit.
 */
export function parseProfileOptions(args: readonly string[]): ProfileOptions {
  return readGeneration(args, TRACE_SETTINGS);
}
