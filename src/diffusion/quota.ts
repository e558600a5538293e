/**
 * Tokens to reveal in the next of `stepsLeft` steps so that none is left after the last:
 * ⌈masked left / steps left⌉.
 *
 * @throws {RangeError} If no step is left while masks are.
 */
export function quota(maskedLeft: number, stepsLeft: number): number {
  if (maskedLeft > 0 && stepsLeft < 1) {
    throw new RangeError(`Cannot plan ${maskedLeft} masks: ${stepsLeft} steps left, expected 1`);
  }
  return maskedLeft === 0 ? 0 : Math.ceil(maskedLeft / stepsLeft);
}

/**
 * Tokens that a schedule made for `size` masks wants in step `step`, from 0, of `steps`, however many
 * masks there are: all alike, but for one more in the first `size` mod `steps`.
 *
 * Source: SDAR, `generate.py`, `get_num_transfer_tokens`.
 */
export function scheduledQuota(
  size: number,
  { step, steps }: { readonly step: number; readonly steps: number },
): number {
  return Math.floor(size / steps) + (step < size % steps ? 1 : 0);
}
