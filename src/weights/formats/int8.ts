import { GROUP, type QuantizedFormat } from "./format.ts";

/** Symmetric: the lowest integer is not used. */
const MOST = 127;
/** All bits of an f32 but the sign. */
const MAGNITUDE = 0x7fff_ffff;

/** Weights as int8, every group of 32 by its own scale, an f32: value = int8 · scale. */
export const INT8: QuantizedFormat = {
  bits: 8,
  dtype: "I8",
  perElement: 1,
  scaleParts: ["scale"],
  store(rows) {
    const values = new Int8Array(rows.length);
    const scales = new Float32Array(rows.length / GROUP);
    // Without their signs, bits of f32 are in the order of magnitudes, and behind all numbers NaN.
    const bits = new Int32Array(rows.buffer, rows.byteOffset, rows.length);
    const largest = new Int32Array(scales.buffer);
    for (let group = 0; group < scales.length; group++) {
      const begin = group * GROUP;
      let most = 0;
      for (let i = begin; i < begin + GROUP; i++) most = Math.max(most, bits[i]! & MAGNITUDE);
      largest[group] = most;
      const scale = scales[group] = scales[group]! / MOST;
      // A number that is none stays none: the network must fail, not answer.
      if (scale === 0 || !Number.isFinite(scale)) continue;
      for (let i = begin; i < begin + GROUP; i++) values[i] = roundNear(rows[i]! / scale);
    }
    return { values: new Uint8Array(values.buffer), scales: new Uint32Array(scales.buffer) };
  },
  zeroOf: () => 0,
  open({ values, scales: words }) {
    const integers = new Int8Array(values.buffer, values.byteOffset, values.length);
    const scales = new Float32Array(words.buffer, words.byteOffset, words.length);
    const rows = new Float32Array(integers.length);
    for (let i = 0; i < rows.length; i++) rows[i] = integers[i]! * scales[Math.floor(i / GROUP)]!;
    return rows;
  },
};

/**
 * `Math.round` in a third of the time, for quotients of two f32 from -128 up: what is not half an
 * integer is farther from it than the sum is rounded.
 */
function roundNear(quotient: number): number {
  return (quotient + 128.5 | 0) - 128;
}
