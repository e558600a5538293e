import { clipped, TIMES } from "../diffusion/noise.ts";
import { drawCopy, scoredBlocks, type Text } from "./noisy_copy.ts";
import type { Scorer } from "./scorer.ts";

/** What a range of times does to the loss of blocks. */
export interface ClipCandidate {
  readonly range: readonly [number, number];
  /** Of the blocks' losses, nats per token squared. */
  readonly variance: number;
  /** Their mean, nats per token: no bound but for the whole range. */
  readonly loss: number;
}

/**
 * The ranges [β, ω] that a search goes through: all times, and those of five widths in steps of
 * 0.05. In blocks of one token there is either all noise or any.
 *
 * Source: kuleshov-group/bd3lms, `diffusion.py`, `_clipped_schedule_search`.
 */
export function clipRanges(blockSize: number): (readonly [number, number])[] {
  if (blockSize === 1) return [TIMES, [1, 1]];
  const ranges = [10, 12, 14, 16, 18].flatMap((width) =>
    Array.from({ length: 21 - width }, (_, begin) => {
      // In twentieths, so that ends are what they are called.
      return [Math.max(TIMES[0], begin / 20), (begin + width) / 20] as const;
    })
  );
  return [TIMES, ...ranges];
}

/**
 * Measures how much the losses of blocks vary when times come from each range: training is steadiest
 * where they vary least. Stops after every pass; all ranges share their random numbers.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", section 5.3. The official code sums the variances
 * of its batches; here all blocks are one.
 *
 * @throws As {@linkcode Scorer.score} does.
 */
export async function* searchClip(
  scorer: Scorer,
  windows: readonly (readonly number[])[],
  { blockSize, seed }: { readonly blockSize: number; readonly seed: number },
): AsyncGenerator<{ readonly share: number }, ClipCandidate[]> {
  const { maskToken } = scorer.network.config;
  const texts = windows.map((x0): Text => ({ x0, given: 1, blockSize }));
  const ranges = clipRanges(blockSize);
  const candidates: ClipCandidate[] = [];
  for (const range of ranges) {
    const { times, ...schedule } = clipped(...range);
    const noisy = texts.map((text, i) => {
      const position = i * windows[0]!.length;
      const estimator = { type: "times", schedule, times } as const;
      const copy = drawCopy(text, { estimator, maskToken, seed, draw: 0, position });
      return { ...text, copies: [copy] };
    });
    const steps = scorer.score(noisy);
    let step = await steps.next();
    for (; !step.done; step = await steps.next()) {
      const { doneRows, allRows } = step.value;
      yield { share: (candidates.length + doneRows / allRows) / ranges.length };
    }
    const losses = noisy.flatMap((text, i) =>
      blockLosses(text, text.copies[0]!.weights, step.value[i]![0]!)
    );
    candidates.push({ range, ...momentsOf(losses) });
  }
  return candidates;
}

/** The mean loss of each block's tokens. */
function blockLosses(text: Text, weights: Float64Array, logP: Float64Array): number[] {
  return scoredBlocks(text).map((begin) => {
    const end = Math.min(begin + text.blockSize, text.x0.length);
    let sum = 0;
    for (let i = begin; i < end; i++) sum -= weights[i]! * logP[i]!;
    return sum / (end - Math.max(begin, text.given));
  });
}

function momentsOf(values: readonly number[]): { variance: number; loss: number } {
  const loss = values.reduce((sum, each) => sum + each, 0) / values.length;
  const squares = values.reduce((sum, each) => sum + (each - loss) ** 2, 0);
  return { loss, variance: squares / (values.length - 1) };
}

/** The range with the least variance. */
export function steadiest(candidates: readonly ClipCandidate[]): ClipCandidate {
  return candidates.reduce((best, each) => each.variance < best.variance ? each : best);
}
