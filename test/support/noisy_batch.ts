import type { NetworkConfig } from "../reference/network.ts";
import type { NoisySequence } from "../reference/network_backward.ts";
import { noise } from "./noise.ts";

/**
 * Sequences of random tokens with one noise level a block, weighted as the training loss weighs
 * them: 1/t over all tokens of the batch. Position 0 is clean.
 */
export function noisyBatch(
  { vocab_size: vocabulary, model_length: length, block_size: blockSize }: Pick<
    NetworkConfig,
    "vocab_size" | "model_length" | "block_size"
  >,
  { sequences, seed }: { sequences: number; seed: number },
): NoisySequence[] {
  const mask = vocabulary - 1;
  return Array.from({ length: sequences }, (_, s) => {
    const uniform = (count: number, stream: number) =>
      Array.from(noise(count, 97 * seed + 7 * s + stream), (each) => (each + 1) / 2);
    const levels = uniform(length / blockSize, 1).map((each) => 0.1 + 0.9 * each);
    const x0 = uniform(length, 2).map((each) => Math.floor(each * mask));
    const draws = uniform(length, 3);
    const isMasked = draws.map((u, i) => i > 0 && u < levels[Math.floor(i / blockSize)]!);
    return {
      x0,
      xt: x0.map((token, i) => isMasked[i] ? mask : token),
      sigma: 0.5 + s,
      weights: isMasked.map((is, i) =>
        is ? 1 / levels[Math.floor(i / blockSize)]! / (length * sequences) : 0
      ),
    };
  });
}
