import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Steps } from "./steps.ts";

/** Options a request may set for {@linkcode entropyBounded}. */
export const EntropyBounded = z.strictObject({
  strategy: z.literal("entropy_bounded"),
  steps: Steps.optional(),
  entropy_bound: z.number().gt(0).max(100).default(0.35)
    .describe(
      "What the entropies of a step's positions stay below together, in nats; 0.35 by default.",
    ),
}).describe(
  "masks by rising entropy while the sum is below `entropy_bound`, at least ⌈masks left / steps left⌉",
);

/**
 * Reveals positions by rising entropy while the sum of their entropies stays below the bound, and
 * never fewer than the schedule's quota; of equals the leftmost first.
 *
 * Source: JetEngine, `Scheduler.postprocess`, "entropy_bounded"; Ben-Hamu et al. 2025, "Accelerated
 * sampling from masked diffusion models via entropy bounded unmasking".
 */
export function entropyBounded(
  block: Block,
  { tokens, entropy }: Proposal,
  { quota, entropy_bound: bound }: Step & z.output<typeof EntropyBounded>,
): Block {
  const ranked = block.masked().toSorted((a, b) => entropy[a]! - entropy[b]!);
  let sum = 0;
  const within = ranked.filter((i) => (sum += entropy[i]!) < bound);
  return block.reveal(ranked.slice(0, Math.max(quota, within.length)), tokens);
}
