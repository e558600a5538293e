import { TIMES } from "../diffusion/noise.ts";
import { clipRanges } from "../evaluation/clip_search.ts";
import { scheduleOf } from "./noise.ts";

/** A block of held-out text with masks in it. */
export interface BlockLoss {
  /** Drawn from all of {@linkcode TIMES}. */
  readonly time: number;
  /** Mean over the block's tokens of −ln p, masked ones alone; not weighted. */
  readonly loss: number;
}

/** Fewest blocks between two times that say anything about their variance. */
const MIN_BLOCKS = 16;

/**
 * The interval of times in which the weighted losses of blocks vary least: among blocks with times
 * from all over, those with times from an interval are a draw from that interval, so that one pass
 * over held-out text serves all.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", section 5.3.
 */
export function searchTimes(
  blocks: readonly BlockLoss[],
  blockSize: number,
): readonly [number, number] {
  let best = { interval: TIMES, variance: Infinity };
  for (const interval of clipRanges(blockSize)) {
    const { lossWeight } = scheduleOf("loglinear", interval);
    const losses = blocks
      .filter(({ time }) => time >= interval[0] && time <= interval[1])
      .map(({ time, loss }) => lossWeight(time) * loss);
    if (losses.length < MIN_BLOCKS) continue;
    const variance = varianceOf(losses);
    if (variance < best.variance) best = { interval: [interval[0], interval[1]], variance };
  }
  return best.interval;
}

function varianceOf(values: readonly number[]): number {
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  return values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (values.length - 1);
}
