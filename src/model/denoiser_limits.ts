import type { DenoiserLimits } from "./denoiser.ts";
import { PAGE_TOKENS, pagesFor } from "./kv_cache.ts";
import type { Network } from "./network.ts";

/** Passes recorded into one submission at most. */
const MAX_PASSES = 32;
/** Prompt rows that ride in one pass at most, and rows of small models' passes. */
const MIN_ROWS = 512;

/** Sizes of a denoiser, which follow from the model and the number of sequences. */
export function denoiserLimits(
  { config }: Pick<Network, "config">,
  { slots }: { readonly slots: number },
): DenoiserLimits & { readonly maxPages: number } {
  const { modelLength, blockSize, blockSizes } = config;
  const largest = blockSizes.at(-1)!;
  const maxPages = pagesFor(modelLength + largest);
  return {
    slots,
    maxPages,
    // Every slot may slide with the trained block size; one at least with the largest.
    pages: Math.max(slots * pagesFor(modelLength + blockSize), maxPages),
    pageTokens: PAGE_TOKENS,
    // All slots may commit a block of the trained size and denoise the next in one pass.
    rows: Math.max(MIN_ROWS, 2 * largest, 2 * slots * blockSize),
    passes: MAX_PASSES,
    promptRows: 4 * Math.max(MIN_ROWS, largest),
  };
}
