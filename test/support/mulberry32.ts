/**
 * Seeded draws, roughly uniform in [0, 1): the same for the same seed everywhere.
 *
 * Source: mulberry32, Tommy Ettinger's 32-bit generator, as published for JavaScript.
 */
export function mulberry32(seed: number): () => number {
  // Spreads neighbouring seeds apart, so that seeds 1 and 2 share no run of draws.
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
