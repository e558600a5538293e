import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Steps } from "./steps.ts";

/** Options a request may set for {@linkcode sequential}. */
export const Sequential = z.strictObject({
  strategy: z.literal("sequential"),
  steps: Steps.optional(),
}).describe("the leftmost masks, ⌈masks left / steps left⌉");

/** Reveals the leftmost masked positions, as many as the quota. */
export function sequential(block: Block, { tokens }: Proposal, { quota }: Step): Block {
  return block.reveal(block.masked().slice(0, quota), tokens);
}
