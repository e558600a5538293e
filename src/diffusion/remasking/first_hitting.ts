import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";

/** Options a request may set for {@linkcode firstHitting}. */
export const FirstHitting = z.strictObject({
  strategy: z.literal("first_hitting"),
}).describe("one masked position, when it falls at an exactly simulated time");

/**
 * Reveals the masked position that falls next. Event times of the masks are exchangeable, so the
 * next to fall is uniform among them: the one with the smallest number in `order`.
 *
 * Source: BD3-LM, `_ddpm_caching_update` with `first_hitting`; Zheng et al. 2024, "Masked diffusion
 * models are secretly time-agnostic masked models", Algorithm 2.
 */
export function firstHitting(block: Block, { tokens }: Proposal, { order }: Step): Block {
  const falling = block.masked().toSorted((a, b) => order[a]! - order[b]!);
  return block.reveal(falling.slice(0, 1), tokens);
}
