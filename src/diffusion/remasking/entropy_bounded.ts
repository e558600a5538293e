import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";

/** Options a request may set for {@linkcode entropyBounded}. */
export const EntropyBounded = z.strictObject({
  strategy: z.literal("entropy_bounded"),
  steps: z.int().min(1).max(1024).optional(),
  entropy_bound: z.number().gt(0).max(100).default(0.35),
});

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
