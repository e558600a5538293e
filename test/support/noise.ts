/**
 * Seeded values, roughly uniform in [-1, 1]: the same for the same length and seed everywhere.
 *
 * Source: mulberry32, Tommy Ettinger's 32-bit generator, as published for JavaScript.
 */
export function noise(length: number, seed = 1): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  // Spreads neighbouring seeds apart, so that noise(n, 1) and noise(n, 2) share no run of values.
  let state = Math.imul(seed + 1, 0x9e3779b1);
  for (let i = 0; i < length; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    values[i] = ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 31 - 1;
  }
  return values;
}
