import type { Metrics } from "../telemetry/metrics.ts";
import type { ObservedRun } from "./parts.ts";
import type { RunObserver } from "./run.ts";

/** Counts a run that was just submitted, and what becomes of it. */
export function countRun(metrics: Metrics, { model, request }: ObservedRun): RunObserver {
  // The choices of one prompt count it once.
  metrics.sequenceTaken(model, request.choice === 0 ? request.prompt.length : 0);
  return {
    admitted: (queueMs) => metrics.sequenceAdmitted(model, queueMs),
    prefilled() {},
    block({ index, tokens, steps, ms }, sinceSubmissionMs) {
      const firstMs = index === 0 ? sinceSubmissionMs : null;
      metrics.blockFinished(model, { tokens: tokens.length, steps, ms, firstMs });
    },
    ended: (reason) => metrics.sequenceEnded(model, reason),
  };
}
