/** How a learning rate falls after the warm-up. */
export const DECAYS = ["none", "linear", "cosine"] as const;

/** The course of a learning rate. */
export interface RateSchedule {
  readonly peak: number;
  /** Updates over which it rises from zero. */
  readonly warmUp: number;
  /** Updates in all: there, a rate that decays is zero. */
  readonly updates: number;
  readonly decay: typeof DECAYS[number];
}

/** The rate of an update, counted from 1. */
export function learningRate(
  update: number,
  { peak, warmUp, updates, decay }: RateSchedule,
): number {
  if (update <= warmUp) return peak * update / warmUp;
  const share = Math.min(1, (update - warmUp) / Math.max(1, updates - warmUp));
  switch (decay) {
    case "none":
      return peak;
    case "linear":
      return peak * (1 - share);
    case "cosine":
      return peak * (1 + Math.cos(Math.PI * share)) / 2;
  }
}
