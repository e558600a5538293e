import type { Format } from "./format.ts";

/** Largest finite half. */
export const MAX_HALF = 65_504;
/** All ones: infinite or no number. */
export const EXPONENT = 0x7c00;

/** Weights as halves. */
export const F16: Format = {
  bits: 16,
  store(rows, name) {
    const halves = new Float16Array(rows);
    const bits = new Uint16Array(halves.buffer);
    for (let i = 0; i < bits.length; i++) {
      // Infinite or no number, though what was stored is neither.
      if ((bits[i]! & EXPONENT) !== EXPONENT || !Number.isFinite(rows[i])) continue;
      throw halfError(name, rows[i]!);
    }
    return { values: new Uint8Array(halves.buffer), scales: new Uint32Array() };
  },
};

/** What to throw where halves cannot hold a number. */
export function halfError(name: string, value: number): RangeError {
  return new RangeError(
    `Cannot store "${name}" as f16: it holds ${value}, expected at most ${MAX_HALF}`,
  );
}
