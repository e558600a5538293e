import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import headFields from "./heads.wgsl" with { type: "text" };
import source from "./report.wgsl" with { type: "text" };
import sequenceFields from "./sequence.wgsl" with { type: "text" };

const kernel = defineKernel("report", source, headFields, sequenceFields);

/** Operands of {@linkcode report}; what they hold stands in report.wgsl. */
export interface Report {
  readonly burst: Tensor;
  readonly sequences: Tensor;
  readonly heads: Tensor;
  readonly details: Tensor;
  readonly journal: Tensor;
  /** Word of `burst` at which this pass's table begins. */
  readonly segment: number;
  /** Sequences in the pass. */
  readonly lanes: number;
  /** As in {@linkcode Plan}. */
  readonly isScheduled: boolean;
}

/** Records that details go to the journal, before the step ends. */
export function report(pass: Pass, operands: Report): void {
  const { burst, sequences, heads, details, journal, segment, lanes, isScheduled } = operands;
  pass.dispatch(kernel, {
    tensors: { burst, sequences, heads, details, journal },
    constants: { SCHEDULED: Number(isScheduled) },
    params: { segment },
    workgroups: [lanes],
  });
}
