/** Threefry, the counter-based generator, in 32-bit words. */

/** Rotation distances of rounds 0 to 7, then over again. */
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
/** Makes the key schedule's third word differ from zero for a zero key. */
const PARITY = 0x1bd11bda;
const ROUNDS = 20;

/** Two unsigned 32-bit words. */
export type Words = readonly [number, number];

/**
 * The two words that Threefry-2x32 with 20 rounds makes of `key` and `counter`.
 *
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.2, and the
 * constants of Random123.
 */
export function threefry2x32(key: Words, counter: Words): Words {
  const schedule = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
  let a = (counter[0] + schedule[0]!) >>> 0;
  let b = (counter[1] + schedule[1]!) >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    a = (a + b) >>> 0;
    b = (rotateLeft(b, ROTATIONS[round % 8]!) ^ a) >>> 0;
    if (round % 4 !== 3) continue;
    const injection = (round + 1) / 4;
    a = (a + schedule[injection % 3]!) >>> 0;
    b = (b + schedule[(injection + 1) % 3]! + injection) >>> 0;
  }
  return [a, b];
}

function rotateLeft(word: number, distance: number): number {
  return (word << distance) | (word >>> (32 - distance));
}
