import { mulberry32 } from "./mulberry32.ts";

/** Seeded values, roughly uniform in [-1, 1): the same for the same length and seed everywhere. */
export function noise(length: number, seed = 1): Float32Array<ArrayBuffer> {
  const draw = mulberry32(seed);
  return new Float32Array(length).map(() => 2 * draw() - 1);
}
