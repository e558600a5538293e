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
