import type { Tensor } from "../../src/gpu/mod.ts";

/** Shifts, scales and gates, and which of them hold for a row. */
export interface Conditions {
  /** [conditions, columns] f32. */
  readonly modulation: Tensor;
  /** Whether its first row serves all sequences; else each has its own. */
  readonly isShared: boolean;
  readonly sequences: number;
  /** Rows of a sequence in one half. */
  readonly length: number;
}

/** Of a pass's rows, those that a result stands for: its row i stands for row `table`[i]. */
export interface Gather {
  /** [≥ rows] u32. */
  readonly table: Tensor;
  readonly rows: number;
}

/** Segments of rows that are summed by themselves: those of one condition each. */
export interface Segments {
  /** [segments + 1] u32: first rows, then the end. */
  readonly starts: Tensor;
  readonly segments: number;
}

/** Params of `conditions.wgsl`. */
export function conditionParams({ length, sequences, isShared }: Conditions) {
  return { length, sequences, is_shared: isShared ? 1 : 0 };
}

/** Constants for a width and a modulation. */
export function widthConstants(width: number, { modulation }: Conditions) {
  return { WIDTH4: width / 4, MODULATION4: modulation.shape[1]! / 4 };
}
