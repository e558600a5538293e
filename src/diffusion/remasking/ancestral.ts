import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Steps } from "./steps.ts";

/** Options a request may set for {@linkcode ancestral}. */
export const Ancestral = z.strictObject({
  strategy: z.literal("ancestral"),
  steps: Steps.default(128),
}).describe("every mask that falls on a grid of `steps` times: none, one or many");

/** The step (from 0) of a grid of `steps` in which a mask with this number in `order` falls. */
export function fallStep(order: number, steps: number): number {
  // In f32, as the device computes it.
  return Math.min(Math.floor(Math.fround(order * steps)), steps - 1);
}

/**
 * Reveals every mask that falls in the next step in which any falls. On the grid t = 1 − i / T a
 * mask stays with probability (T − i − 1) / (T − i), so its step is uniform over the T steps; steps
 * in which nothing falls need no forward pass and are skipped.
 *
 * Source: BD3-LM, `_ddpm_caching_update`, on a grid whose last step has nothing left to mask.
 */
export function ancestral(
  block: Block,
  { tokens }: Proposal,
  { order, steps }: Step & z.output<typeof Ancestral>,
): Block {
  const masked = block.masked();
  const next = Math.min(...masked.map((i) => fallStep(order[i]!, steps)));
  return block.reveal(masked.filter((i) => fallStep(order[i]!, steps) === next), tokens);
}
