import { AssertionError } from "@std/assert";

/** How far {@linkcode assertClose} lets tensors differ. */
export interface Closeness {
  /** Largest allowed max |actual − expected| / max |expected|. */
  readonly tolerance?: number;
}

/**
 * Asserts that no element of `actual` differs from `expected` by more than `tolerance` times the
 * largest magnitude in `expected`. Infinities must be equal; NaN fails on either side.
 *
 * @param label Names the tensor in the message.
 * @throws {AssertionError} With the worst element's index and both values.
 */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { tolerance = 1e-5 }: Closeness = {},
  label = "tensor",
): void {
  if (actual.length !== expected.length) {
    throw new AssertionError(
      `${label}: length is ${actual.length}, expected ${expected.length}`,
    );
  }
  const scale = largestMagnitude(expected);
  const { index, error } = worstElement(actual, expected);
  if (Number.isFinite(error) && error <= tolerance * scale) return;
  throw new AssertionError(
    `${label}: element ${index} of ${expected.length} is ${actual[index]}, ` +
      `expected ${expected[index]}; error is ${(error / scale).toExponential(2)} ` +
      `of max |expected| ${scale.toPrecision(6)}, allowed ${tolerance}`,
  );
}

function largestMagnitude(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    if (Number.isFinite(magnitude)) largest = Math.max(largest, magnitude);
  }
  return largest;
}

function worstElement(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): { index: number; error: number } {
  let worst = { index: 0, error: 0 };
  for (let i = 0; i < expected.length; i++) {
    const error = distance(actual[i]!, expected[i]!);
    if (error > worst.error) worst = { index: i, error };
  }
  return worst;
}

function distance(a: number, b: number): number {
  // Equal infinities are close; their difference would be NaN.
  if (a === b) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Infinity : difference;
}
