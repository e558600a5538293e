import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import filterFunctions from "./filters.wgsl" with { type: "text" };
import headFields from "./heads.wgsl" with { type: "text" };
import laneFunctions from "./lanes.wgsl" with { type: "text" };
import narrow from "./logit_loads/narrow.wgsl" with { type: "text" };
import wide from "./logit_loads/wide.wgsl" with { type: "text" };
import octetFields from "./octet.wgsl" with { type: "text" };
import proposalFields from "./proposals.wgsl" with { type: "text" };
import source from "./propose.wgsl" with { type: "text" };
import subgroupTeams from "./teams/subgroup.wgsl" with { type: "text" };
import workgroupTeams from "./teams/workgroup.wgsl" with { type: "text" };
import wideLoads from "./wide_loads.wgsl" with { type: "text" };

const fragments = [filterFunctions, laneFunctions, headFields, octetFields, proposalFields];
const portable = defineKernel("propose", source, narrow, workgroupTeams, ...fragments);
/** What the other computes, to the bit, where subgroups have 8 lanes and loads 32 bytes. */
const bySubgroups = defineKernel("propose", source, wide, wideLoads, subgroupTeams, ...fragments);

/** Operands of {@linkcode propose}. */
export interface Propose {
  /** [heads of this part, vocabulary padded to 32] f32. */
  readonly logits: Tensor;
  /** All heads of the pass. */
  readonly heads: Tensor;
  readonly counts: Tensor;
  /** At least one for each head of the pass, written from `firstHead` on. */
  readonly proposals: Tensor;
  /** Head to which the first row of `logits` belongs. */
  readonly firstHead: number;
  readonly vocabulary: number;
  readonly maskToken: number;
  /** Whether top-p keeps the token that crosses it. */
  readonly keepsCrossing: boolean;
}

/** Records temperature, top-k, top-p and the draw for every live head of this part. */
export function propose(pass: Pass, operands: Propose): void {
  const { logits, heads, counts, proposals, firstHead, ...model } = operands;
  const { vocabulary, maskToken, keepsCrossing } = model;
  const isShared = pass.gpu.deviceClass === "cpu with subgroups";
  pass.dispatch(isShared ? bySubgroups : portable, {
    tensors: { logits, heads, counts, proposals },
    constants: { VOCABULARY: vocabulary, MASK: maskToken, KEEPS_CROSSING: Number(keepsCrossing) },
    params: { first_head: firstHead },
    workgroups: [logits.shape[0]!],
  });
}
