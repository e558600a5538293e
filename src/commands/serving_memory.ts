import { scorerLimits } from "../evaluation/scorer.ts";
import { estimateMemory, type MemoryEstimate, readFamilyConfig } from "../model/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { WeightFormat } from "../weights/formats.ts";
import { SERVED_SCORING } from "./score_texts.ts";

/** What the memory of a served model follows from. */
export interface ServingOptions {
  readonly format: WeightFormat;
  /** See {@linkcode readFamilyConfig}. */
  readonly context: number;
  readonly maxConcurrent: number;
  /** Engines that share the sequences; 1 where left out. */
  readonly engines?: number;
}

/**
 * Estimates what a model takes on the devices of its engines, all together, when it is served.
 *
 * @throws {CheckpointError} If the checkpoint is damaged or of an unknown family.
 */
export function estimateServing(
  checkpoint: Checkpoint,
  { format, context, maxConcurrent, engines = 1 }: ServingOptions,
): MemoryEstimate {
  const config = readFamilyConfig(checkpoint, { contextLength: context });
  const { pages: scorePages } = scorerLimits({ config }, SERVED_SCORING);
  const slots = Math.ceil(maxConcurrent / engines);
  const { weights, cache, scratch, total } = estimateMemory(config, { format, slots, scorePages });
  return {
    weights: weights * engines,
    cache: cache * engines,
    scratch: scratch * engines,
    total: total * engines,
  };
}
