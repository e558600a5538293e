/** Share of the newest measurement in an estimate. */
const SMOOTHING = 0.3;

/** Moves an estimate, 0 where there is none yet, towards what was measured. */
export function smooth(estimate: number, measured: number): number {
  return estimate === 0 ? measured : (1 - SMOOTHING) * estimate + SMOOTHING * measured;
}
