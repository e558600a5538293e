import { MAX_HALF } from "./f16.ts";
import { GROUP, type QuantizedFormat } from "./format.ts";
import { Int4Fit, inverseOf, nearestInteger } from "./int4_fit.ts";

/** The lower half of a byte. */
const LOW = 15;

/**
 * Weights as integers of 4 bits, every group of 32 by its own scale and offset, two halves:
 * value = integer · scale + offset. The first weight of a byte is in its lower half.
 */
export const INT4: QuantizedFormat = {
  bits: 4,
  dtype: "U8",
  perElement: 2,
  scaleParts: ["scale", "offset"],
  store(rows, name) {
    const values = new Uint8Array(rows.length / 2);
    const scales = new Float16Array(rows.length / GROUP * 2);
    const fit = new Int4Fit();
    for (let group = 0; group < rows.length / GROUP; group++) {
      const begin = group * GROUP;
      if (!fits(rows.subarray(begin, begin + GROUP), name)) {
        // A number that is none makes the group so: the network must fail, not answer.
        scales.fill(NaN, 2 * group, 2 * group + 2);
        continue;
      }
      fit.fit(rows, begin);
      scales[2 * group] = fit.scale;
      scales[2 * group + 1] = fit.offset;
      for (let i = 0; i < GROUP; i += 2) {
        values[(begin + i) / 2] = fit.integers[i]! | fit.integers[i + 1]! << 4;
      }
    }
    return { values, scales: new Uint32Array(scales.buffer) };
  },
  zeroOf(word) {
    const [scale, offset] = new Float16Array(Uint32Array.of(word).buffer);
    return nearestInteger(0, { offset: offset!, inverse: inverseOf(scale!) }); // Two to a word.
  },
  open({ values, scales: words }) {
    const scales = new Float16Array(words.buffer, words.byteOffset, 2 * words.length);
    const rows = new Float32Array(2 * values.length);
    for (let group = 0; group < words.length; group++) {
      const [scale, offset] = [scales[2 * group]!, scales[2 * group + 1]!];
      for (let i = group * GROUP; i < (group + 1) * GROUP; i += 2) {
        const both = values[i / 2]!;
        rows[i] = (both & LOW) * scale + offset;
        rows[i + 1] = (both >> 4) * scale + offset;
      }
    }
    return rows;
  },
};

/**
 * Whether all weights are numbers.
 *
 * @throws {RangeError} If halves cannot hold them.
 */
function fits(weights: Float32Array, name: string): boolean {
  for (const weight of weights) {
    if (!Number.isFinite(weight)) return false;
    if (Math.abs(weight) <= MAX_HALF) continue;
    throw new RangeError(
      `Cannot store "${name}" as int4: it holds ${weight}, expected at most ${MAX_HALF}`,
    );
  }
  return true;
}
