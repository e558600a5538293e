import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Steps } from "./steps.ts";

/** Options a request may set for {@linkcode random}. */
export const Random = z.strictObject({
  strategy: z.literal("random"),
  steps: Steps.optional(),
}).describe("masks at random, as many as the quota");

/**
 * Reveals the masked positions with the largest numbers in `order`, as many as the quota; of equals
 * the leftmost. The numbers are drawn afresh in every step.
 *
 * Source: JetEngine, `Scheduler.postprocess`, "random".
 */
export function random(block: Block, { tokens }: Proposal, { quota, order }: Step): Block {
  const falling = block.masked().toSorted((a, b) => order[b]! - order[a]!);
  return block.reveal(falling.slice(0, quota), tokens);
}
