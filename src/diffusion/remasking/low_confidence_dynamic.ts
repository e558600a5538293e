import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Steps } from "./steps.ts";

/** Options a request may set for {@linkcode lowConfidenceDynamic}. */
export const LowConfidenceDynamic = z.strictObject({
  strategy: z.literal("low_confidence_dynamic"),
  steps: Steps.optional(),
  threshold: z.number().gt(0).max(1).default(0.9)
    .describe("Confidence, a probability, above which a token is taken; 0.9 by default."),
}).describe(
  "all masks with a token more confident than `threshold`, at least ⌈masks left / steps left⌉",
);

/**
 * Reveals every masked position whose confidence exceeds the threshold, and never fewer than the
 * schedule's quota, most confident first; of equals the leftmost.
 *
 * Source: SDAR, `generate.py`, remasking strategy "low_confidence_dynamic".
 */
export function lowConfidenceDynamic(
  block: Block,
  { tokens, confidence }: Proposal,
  { quota, threshold }: Step & z.output<typeof LowConfidenceDynamic>,
): Block {
  const ranked = block.masked().toSorted((a, b) => confidence[b]! - confidence[a]!);
  const sure = ranked.filter((i) => confidence[i]! > threshold);
  return block.reveal(ranked.slice(0, Math.max(quota, sure.length)), tokens);
}
