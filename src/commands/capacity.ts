import { integer, setting } from "./flags.ts";

/** Where a model could take more than anybody asks of most: its cache would, for every sequence. */
export const DEFAULT_CONTEXT = 4096;

/** Sequences running, waiting or kept. */
export const MAX_SEQUENCES = 65_536;

/** As many positions as a configuration may have. */
const MAX_CONTEXT = 2 ** 21;

/** The settings of `serve` that the memory of the cache follows from. */
export const CAPACITY = {
  context: setting(
    integer(1, MAX_CONTEXT),
    DEFAULT_CONTEXT,
    "longest prompt and answer of models whose context does not slide",
  ),
  maxConcurrent: setting(integer(1, MAX_SEQUENCES), 8, "sequences running at a time"),
};
