import { GROUP, type QuantizedFormat } from "./format.ts";

/** Symmetric: the lowest integer is not used. */
const MOST = 127;

/** Weights as int8, every group of 32 by its own scale, an f32: value = int8 · scale. */
export const INT8: QuantizedFormat = {
  bits: 8,
  dtype: "I8",
  perElement: 1,
  scaleParts: ["scale"],
  store(rows) {
    const values = new Int8Array(rows.length);
    const scales = new Float32Array(rows.length / GROUP);
    for (let group = 0; group < scales.length; group++) {
      const begin = group * GROUP;
      let largest = 0;
      for (let i = begin; i < begin + GROUP; i++) {
        largest = Math.max(largest, Math.abs(rows[i]!));
      }
      // A number that is none stays none: the network must fail, not answer.
      const scale = scales[group] = largest / MOST;
      if (scale === 0) continue;
      for (let i = begin; i < begin + GROUP; i++) values[i] = Math.round(rows[i]! / scale);
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
