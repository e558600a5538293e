import { z } from "zod";
import { StrategyOptions } from "../../src/diffusion/remasking/mod.ts";

const Estimate = z.object({ mean: z.number(), error: z.number() });
const Quality = z.object({
  tokensPerPass: Estimate.nullable(),
  nelbo: Estimate,
  repeated: Estimate,
});

/** What `deno task evaluate --json` prints. */
export const BlockSizes = z.object({
  results: z.array(z.object({
    block_size: z.int(),
    exact: z.boolean(),
    nelbo_per_token: z.number(),
    stderr: z.number(),
    perplexity: z.number(),
    perplexity_stderr: z.number(),
    bits_per_byte: z.number(),
  })),
});

/** What `deno task evaluate --search-clip --json` prints. */
export const ClipSearch = z.object({
  clip_search: z.array(z.object({
    block_size: z.int(),
    candidates: z.array(z.object({
      ...{ beta: z.number(), omega: z.number(), variance: z.number(), loss: z.number() },
    })),
  })),
});

const Models = z.array(z.object({
  blockSize: z.int(),
  curve: z.array(z.tuple([z.number(), z.number()])),
  ...{ nelbo: z.number(), error: z.number(), perplexity: z.number() },
}));

/** As of `scratch.ts`. */
export const Scratch = z.object({
  updates: z.object({ scratch: z.int(), then: z.int() }),
  ...{ scratch: Models, then: Models },
});

/** As of `quality.ts`. */
export const QualityResults = z.object({
  heldOut: Quality,
  settings: z.array(z.object({ options: StrategyOptions, quality: Quality })),
});

/** The measurements that `docs/paper` holds, by file name without ending. */
export const RESULTS = {
  block_sizes: BlockSizes,
  scratch: Scratch,
  clip: ClipSearch,
  quality: QualityResults,
} as const;

/** All measurements. */
export type Results = { readonly [Name in keyof typeof RESULTS]: z.output<typeof RESULTS[Name]> };

/** Candidates of a search against the one of all times, which comes first. */
export function relativeVariances(
  { candidates }: Results["clip"]["clip_search"][number],
): { readonly beta: number; readonly omega: number; readonly variance: number }[] {
  const all = candidates[0]!; // A search has it.
  return candidates.slice(1).map(({ beta, omega, variance }) => ({
    ...{ beta, omega, variance: variance / all.variance },
  }));
}
