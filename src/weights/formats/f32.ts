import type { Format } from "./format.ts";

/** Weights as they are computed with. */
export const F32: Format = {
  bits: 32,
  store: (rows) => ({
    values: new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength),
    scales: new Uint32Array(),
  }),
};
