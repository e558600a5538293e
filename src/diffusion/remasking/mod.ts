/** Remasking strategies: the rules that turn a block and a proposal into a less noisy block. */
import { z } from "zod";
import type { Block, Proposal, Step } from "../block.ts";
import { Ancestral, ancestral } from "./ancestral.ts";
import { EntropyBounded, entropyBounded } from "./entropy_bounded.ts";
import { FirstHitting, firstHitting } from "./first_hitting.ts";
import { LowConfidenceDynamic, lowConfidenceDynamic } from "./low_confidence_dynamic.ts";
import { LowConfidenceStatic, lowConfidenceStatic } from "./low_confidence_static.ts";
import { Random, random } from "./random.ts";
import { Sequential, sequential } from "./sequential.ts";

/** Options of every strategy, told apart by `strategy`. */
export const StrategyOptions = z.discriminatedUnion("strategy", [
  FirstHitting,
  Ancestral,
  Sequential,
  Random,
  LowConfidenceStatic,
  LowConfidenceDynamic,
  EntropyBounded,
]);

/** One strategy with its options, defaults filled in. */
export type StrategyOptions = z.output<typeof StrategyOptions>;

/** Names of all strategies, the default first. */
export const STRATEGIES = StrategyOptions.options.map((each) => each.shape.strategy.value);

/** Reveals what falls in the next denoising step of `block`. */
export function reveal(
  block: Block,
  proposal: Proposal,
  { options, ...step }: Step & { readonly options: StrategyOptions },
): Block {
  switch (options.strategy) {
    case "first_hitting":
      return firstHitting(block, proposal, step);
    case "ancestral":
      return ancestral(block, proposal, { ...step, ...options });
    case "sequential":
      return sequential(block, proposal, step);
    case "random":
      return random(block, proposal, step);
    case "low_confidence_static":
      return lowConfidenceStatic(block, proposal, step);
    case "low_confidence_dynamic":
      return lowConfidenceDynamic(block, proposal, { ...step, ...options });
    case "entropy_bounded":
      return entropyBounded(block, proposal, { ...step, ...options });
  }
}
