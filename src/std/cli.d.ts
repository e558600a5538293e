/** Options of {@linkcode parseArgs}. */
export interface ParseOptions {
  boolean?: readonly string[];
  string?: readonly string[];
  collect?: readonly string[];
  negatable?: readonly string[];
  alias?: Record<string, string | string[]>;
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  "--"?: boolean;
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}
/** Splits command line arguments into flags and the rest (`_`). */
export function parseArgs(
  args: string[],
  options?: ParseOptions,
): Record<string, unknown> & { _: (string | number)[] };
