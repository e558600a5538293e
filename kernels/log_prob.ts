import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import laneFunctions from "./lanes.wgsl" with { type: "text" };
import softmax from "./log_softmax.wgsl" with { type: "text" };
import source from "./log_prob.wgsl" with { type: "text" };
import teams from "./teams/workgroup.wgsl" with { type: "text" };

const kernel = defineKernel("log_prob", source, softmax, laneFunctions, teams);

/** Operands of {@linkcode logProb}. */
export interface LogProb {
  /** [heads of this part, vocabulary padded to 32] f32. */
  readonly logits: Tensor;
  /** At least one u32 for each head of the pass: the token whose probability is asked for. */
  readonly targets: Tensor;
  readonly counts: Tensor;
  /** At least one f32 for each head of the pass, written from `firstHead` on. */
  readonly logP: Tensor;
  /** Head to which the first row of `logits` belongs. */
  readonly firstHead: number;
  readonly vocabulary: number;
  readonly maskToken: number;
}

/**
 * Records ln p of the targets of every live head of this part, nats: NaN where the network gave no
 * finite numbers.
 */
export function logProb(pass: Pass, operands: LogProb): void {
  const { logits, targets, counts, logP, firstHead, vocabulary, maskToken } = operands;
  pass.dispatch(kernel, {
    tensors: { logits, targets, counts, log_p: logP },
    constants: { VOCABULARY: vocabulary, MASK: maskToken },
    params: { first_head: firstHead },
    workgroups: [logits.shape[0]!],
  });
}
