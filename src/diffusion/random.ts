/** What a number is for: streams of one seed that never meet. The same in kernels/random.wgsl. */
export type Stream = "token" | "order" | "time";

const STREAM_BITS: Readonly<Record<Stream, number>> = { token: 0, order: 1, time: 2 };
const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]] as const;

/**
 * Threefry-2x32 with 20 rounds: 64 random bits that depend on counter and key alone.
 *
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Random123.
 */
export function threefry(
  counter: readonly [number, number],
  key: readonly [number, number],
): [number, number] {
  const keys = [key[0], key[1], 0x1bd11bda ^ key[0] ^ key[1]];
  let [a, b] = [counter[0] + keys[0]! | 0, counter[1] + keys[1]! | 0];
  for (let group = 0; group < 5; group++) {
    for (const bits of ROTATIONS[group % 2]!) {
      a = a + b | 0;
      b = (b << bits | b >>> (32 - bits)) ^ a;
    }
    a = a + keys[(group + 1) % 3]! | 0;
    b = b + keys[(group + 2) % 3]! + group + 1 | 0;
  }
  return [a >>> 0, b >>> 0];
}

/** The two words of a seed in [0, 2^53), low first. */
export function seedWords(seed: number): [number, number] {
  return [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
}

/**
 * A uniform number in [0, 1), a multiple of 2^-24, fixed by where and for what it is drawn.
 *
 * @param at `choice` below 1024, `step` below 2^20.
 */
export function uniformAt(
  seed: number,
  at: { choice: number; stream: Stream; position: number; step: number },
): number {
  const word = STREAM_BITS[at.stream] << 30 | at.choice << 20 | at.step;
  return (threefry([at.position, word], seedWords(seed))[0] >>> 8) / 2 ** 24;
}
