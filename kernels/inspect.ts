import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import source from "./inspect.wgsl" with { type: "text" };
import laneFunctions from "./lanes.wgsl" with { type: "text" };
import softmax from "./log_softmax.wgsl" with { type: "text" };
import proposalFields from "./proposals.wgsl" with { type: "text" };
import teams from "./teams/workgroup.wgsl" with { type: "text" };

const kernel = defineKernel("inspect", source, softmax, laneFunctions, teams, proposalFields);

/** Operands of {@linkcode inspect}. */
export interface Inspect {
  /** [heads of this part, vocabulary padded to 32] f32. */
  readonly logits: Tensor;
  readonly counts: Tensor;
  /** Those that were made from `logits`. */
  readonly proposals: Tensor;
  /** At least one for each head of the pass, written from `firstHead` on. */
  readonly details: Tensor;
  /** Head to which the first row of `logits` belongs. */
  readonly firstHead: number;
  readonly vocabulary: number;
  readonly maskToken: number;
}

/** Records details of what was proposed for every live head of this part. */
export function inspect(pass: Pass, operands: Inspect): void {
  const { firstHead, vocabulary, maskToken, ...tensors } = operands;
  pass.dispatch(kernel, {
    tensors,
    constants: { VOCABULARY: vocabulary, MASK: maskToken },
    params: { first_head: firstHead },
    workgroups: [tensors.logits.shape[0]!],
  });
}
