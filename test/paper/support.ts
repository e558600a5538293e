import type { Results } from "./results.ts";

const at = (mean: number, error: number) => ({ mean, error });

/** Measurements with numbers that are easy to find again. */
export const RESULTS: Results = {
  block_sizes: {
    results: [1, 4].map((size) => ({
      ...{ block_size: size, exact: size === 1, nelbo_per_token: 2 + size / 8, stderr: 0.0625 },
      ...{ perplexity: 8.125, perplexity_stderr: 0.5, bits_per_byte: 0.75 },
    })),
  },
  scratch: {
    updates: { scratch: 100, then: 60 },
    scratch: [1, 16].map((blockSize) => ({
      ...{ blockSize, nelbo: 4.25, error: 0.125, perplexity: 70.13 },
      curve: [[50, 6], [100, blockSize === 1 ? 4 : 5]],
    })),
    then: [1, 16].map((blockSize) => ({
      ...{ blockSize, nelbo: 3.5, error: 0.25, perplexity: 33.14 },
      curve: [[60, 3 + blockSize / 16]],
    })),
  },
  clip: {
    clip_search: [{
      block_size: 4,
      candidates: [
        { beta: 0.001, omega: 1, variance: 4, loss: 2 },
        { beta: 0.001, omega: 0.5, variance: 8, loss: 2 },
        { beta: 0.5, omega: 1, variance: 1, loss: 2 },
      ],
    }],
  },
  quality: {
    heldOut: { tokensPerPass: null, nelbo: at(1.75, 0.25), repeated: at(0.0078125, 0) },
    settings: [
      {
        options: { strategy: "first_hitting" },
        quality: { tokensPerPass: at(1, 0), nelbo: at(2, 0.5), repeated: at(0, 0) },
      },
      ...[2, 4].map((steps) => ({
        options: { strategy: "sequential" as const, steps },
        quality: { tokensPerPass: at(8 / steps, 0), nelbo: at(3, 0.5), repeated: at(0.25, 0.125) },
      })),
    ],
  },
};
