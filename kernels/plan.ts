import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import headFields from "./heads.wgsl" with { type: "text" };
import source from "./plan.wgsl" with { type: "text" };
import random from "./random.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import sequenceFields from "./sequence.wgsl" with { type: "text" };
import sequenceStore from "./sequence_store.wgsl" with { type: "text" };

const kernel = defineKernel(
  "plan",
  source,
  rowFields,
  headFields,
  sequenceFields,
  random,
  sequenceStore,
);

/** Operands of {@linkcode plan}; what they hold stands in plan.wgsl. */
export interface Plan {
  readonly burst: Tensor;
  readonly sequences: Tensor;
  readonly tokens: Tensor;
  readonly rows: Tensor;
  readonly heads: Tensor;
  readonly counts: Tensor;
  readonly sigma: Tensor;
  /** Word of `burst` at which this pass's table begins. */
  readonly segment: number;
  /** Sequences in the pass. */
  readonly lanes: number;
  /** Largest block size, half the tokens kept of a slot. */
  readonly maxBlock: number;
  readonly maskToken: number;
  /** Whether quotas come from a schedule made for all masks of a sub-block. */
  readonly isScheduled: boolean;
  /** Whether the row before a token has its logits. */
  readonly isShifted: boolean;
}

/** Records the planning of one pass: rows, heads and noise levels of its sequences. */
export function plan(pass: Pass, operands: Plan): void {
  const { segment, lanes, maxBlock, maskToken, isScheduled, isShifted, ...tensors } = operands;
  pass.dispatch(kernel, {
    tensors,
    constants: {
      BLOCK: maxBlock,
      MASK: maskToken,
      SCHEDULED: Number(isScheduled),
      SHIFTED: Number(isShifted),
    },
    params: { segment },
    workgroups: [lanes + 1],
  });
}
