import type { Metrics } from "../telemetry/metrics.ts";
import type { RecordSpan } from "../telemetry/tracing.ts";
import type { ObservedRun } from "./parts.ts";
import type { RunObserver } from "./run.ts";

/** Tells several observers, in their order. */
export function observeAll(observers: readonly RunObserver[]): RunObserver {
  return {
    admitted: (queueMs) => observers.forEach((each) => each.admitted(queueMs)),
    prefilled: (ms) => observers.forEach((each) => each.prefilled(ms)),
    block: (...block) => observers.forEach((each) => each.block(...block)),
    ended: (reason) => observers.forEach((each) => each.ended(reason)),
  };
}

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

/**
 * Records what a run does as spans one after the other: the wait in line, the prefill where there
 * is one, then every block.
 */
export function traceRun(record: RecordSpan, run: ObservedRun): RunObserver {
  const { model, request, submittedMs } = run;
  const common = { "bd.model": model, "bd.choice": request.choice };
  /** Where the next span begins. */
  let beginMs = submittedMs;
  let isAdmitted = false;
  const recordUntil = (name: string, endMs: number, attributes = {}) => {
    record(name, { beginMs, endMs, attributes: { ...common, ...attributes } });
    beginMs = endMs;
  };
  return {
    admitted(queueMs) {
      isAdmitted = true;
      recordUntil("queue wait", submittedMs + queueMs);
    },
    prefilled: (ms) =>
      recordUntil("prefill", beginMs + ms, { "bd.prompt_tokens": request.prompt.length }),
    block({ index, tokens, steps, nfe }, sinceSubmissionMs) {
      recordUntil("block", submittedMs + sinceSubmissionMs, {
        "bd.block": index,
        "bd.tokens": tokens.length,
        "bd.steps": steps,
        "bd.nfe": nfe,
      });
    },
    ended(reason) {
      if (!isAdmitted) recordUntil("queue wait", run.nowMs(), { "bd.finish_reason": reason });
    },
  };
}
