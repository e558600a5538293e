/** Neighbours along the inputs of one row that share a scale, where a format has scales. */
export const GROUP = 32;

/** Bytes of the word that a group has beside its weights. */
export const SCALE_BYTES = 4;

/** Rows in a format, one behind the other; weights lie in the order of the inputs. */
export interface StoredRows {
  readonly values: Uint8Array<ArrayBuffer>;
  /** One word for every group; empty where the format has none. */
  readonly scales: Uint32Array<ArrayBuffer>;
}

/** One way of storing weights. */
export interface Format {
  /** Of one weight. */
  readonly bits: number;
  /**
   * Rounds rows whose length is a multiple of {@linkcode GROUP}.
   *
   * @param name Of the matrix, for errors.
   * @throws {RangeError} If a value does not fit.
   */
  store(rows: Float32Array<ArrayBuffer>, name: string): StoredRows;
}

/** A format with scales. */
export interface QuantizedFormat extends Format {
  /** Element type of the weights in a file, and how many share one element. */
  readonly dtype: "I8" | "U8";
  readonly perElement: number;
  /** What a group's word holds: one f32, or the halves of a low and a high part. */
  readonly scaleParts: readonly [string] | readonly [low: string, high: string];
  /** The integer that a zero has in a group with this word. */
  zeroOf(scale: number): number;
  /** The values that stored rows stand for, as kernels compute them. */
  open(stored: StoredRows): Float32Array<ArrayBuffer>;
}
