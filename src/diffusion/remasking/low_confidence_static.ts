import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Steps } from "./steps.ts";

/** Options a request may set for {@linkcode lowConfidenceStatic}. */
export const LowConfidenceStatic = z.strictObject({
  strategy: z.literal("low_confidence_static"),
  steps: Steps.optional(),
}).describe("the masks with the most confident tokens, ⌈masks left / steps left⌉");

/**
 * Reveals the quota's most confident positions; of equals the leftmost.
 *
 * Source: SDAR, `generate.py`, remasking strategy "low_confidence_static".
 */
export function lowConfidenceStatic(
  block: Block,
  { tokens, confidence }: Proposal,
  { quota }: Step,
): Block {
  const ranked = block.masked().toSorted((a, b) => confidence[b]! - confidence[a]!);
  return block.reveal(ranked.slice(0, quota), tokens);
}
