import {
  clipped,
  NOISE_SCHEDULES,
  noiseLevel,
  type NoiseScheduleName,
  stratify,
  timeAt,
  TIMES,
} from "../diffusion/noise.ts";
import { type Stream, uniformAt } from "../diffusion/random.ts";
import type { NoisySequence } from "./noisy_sequence.ts";

/** How masks come into the sequences of a batch. */
export interface NoiseOptions {
  readonly blockSize: number;
  readonly maskToken: number;
  readonly schedule: NoiseScheduleName;
  /** Between which times are drawn; other than all of them with the log-linear schedule only. */
  readonly times: readonly [number, number];
  /** Whether the times of a batch are spread evenly. */
  readonly isAntithetic: boolean;
  readonly seed: number;
  /** Below 2^20: numbers the batches. */
  readonly step: number;
}

/** Times a block may be drawn anew until its share of masks lies between the clipped times. */
const MAX_DRAWS = 512;

/** A sequence with its masks, and the time of each of its blocks. */
export interface TimedSequence extends NoisySequence {
  readonly blockTimes: readonly number[];
}

/**
 * Puts masks into windows of tokens: a time t for every block, and each of its tokens masked with
 * the chance of t. A masked token counts with the schedule's weight of t in the mean over all
 * positions of the batch. Position 0 is never masked. In blocks of one token all are masked and
 * count 1: that is the exact likelihood of an autoregressive model.
 *
 * With clipped times, a block whose share of masks lies outside of them is drawn anew, as the
 * official code does with `training.resample`; bounds of {@linkcode TIMES} hold nothing back.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", algorithm 1 and section 5.3;
 * kuleshov-group/bd3lms, `diffusion.py`: `_sample_t`, `q_xt`, `_loss`.
 */
export function drawNoise(
  windows: readonly ArrayLike<number>[],
  options: NoiseOptions,
): TimedSequence[] {
  const { blockSize, schedule, times, seed, step } = options;
  const length = windows[0]?.length ?? 0;
  const blocks = length / blockSize;
  const uniform = (stream: Stream, position: number, choice = 0) =>
    uniformAt(seed, { choice, stream, position, step });
  const count = windows.length * blocks;
  const places = Array.from({ length: count }, (_, i) => uniform("time", i));
  const spread = options.isAntithetic ? stratify(places, orderOf(count, uniform)) : places;
  const drawn = spread.map((each) => blockSize === 1 ? 1 : timeAt(each, times));
  const { moveChance, lossWeight } = scheduleOf(schedule, times);
  return windows.map((window, row) => {
    const blockTimes = drawn.slice(row * blocks, (row + 1) * blocks);
    const xt = Array.from(window);
    const weights = new Float64Array(length);
    blockTimes.forEach((time, block) => {
      const begin = block * blockSize;
      const chance = blockSize === 1 ? 1 : moveChance(time);
      const weight = blockSize === 1 ? 1 : lossWeight(time);
      const draw = (choice: number) =>
        Array.from({ length: blockSize }, (_, i) => i + begin).filter((place) =>
          place > 0 && uniform("token", row * length + place, choice) < chance
        );
      for (const place of maskedPlaces(draw, options)) {
        xt[place] = options.maskToken;
        weights[place] = weight / (length * windows.length);
      }
    });
    // The official code takes the level of the first token for all.
    const sigma = noiseLevel(moveChance(blockTimes[0] ?? 1));
    return { x0: window, xt, weights, sigma, blockTimes };
  });
}

/** The schedule for times between two bounds. */
export function scheduleOf(name: NoiseScheduleName, [beta, omega]: readonly [number, number]) {
  const isClipped = beta !== TIMES[0] || omega !== TIMES[1];
  return isClipped && name === "loglinear" ? clipped(beta, omega) : NOISE_SCHEDULES[name];
}

/** The first draw whose share of masks lies between the clipped times; else the last one. */
function maskedPlaces(
  draw: (choice: number) => number[],
  { blockSize, times: [beta, omega] }: NoiseOptions,
): number[] {
  let places = draw(0);
  for (let choice = 1; choice < MAX_DRAWS && blockSize > 1; choice++) {
    const share = places.length / blockSize;
    const isBelow = beta > TIMES[0] && share < beta;
    const isAbove = omega < TIMES[1] && share > omega;
    if (!isBelow && !isAbove) break;
    places = draw(choice);
  }
  return places;
}

/** An order of `count` strata that the seed fixes. */
function orderOf(
  count: number,
  uniform: (stream: Stream, position: number) => number,
): number[] {
  const keys = Array.from({ length: count }, (_, i) => uniform("order", i));
  return [...keys.keys()].sort((a, b) => keys[a]! - keys[b]! || a - b);
}
