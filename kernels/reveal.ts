import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import headFields from "./heads.wgsl" with { type: "text" };
import { DETAIL_WORDS } from "./token_details.ts";
import proposalFields from "./proposals.wgsl" with { type: "text" };
import source from "./reveal.wgsl" with { type: "text" };
import sequenceFields from "./sequence.wgsl" with { type: "text" };
import sequenceStore from "./sequence_store.wgsl" with { type: "text" };

const kernel = defineKernel(
  "reveal",
  source,
  headFields,
  proposalFields,
  sequenceFields,
  sequenceStore,
);

/** Words before the tokens of a journal entry. */
export const JOURNAL_HEADER = 6;

/** Words of a journal entry: the header, a block's tokens, their confidences, and their details. */
export function journalWords(
  blockSize: number,
  { isDetailed = false }: { readonly isDetailed?: boolean | undefined } = {},
): number {
  return JOURNAL_HEADER + (2 + (isDetailed ? DETAIL_WORDS : 0)) * blockSize;
}

/** What happened to a sequence in a pass: it was over before, denoised, failed, or committed a block. */
export const STATUS = { idle: 0, denoised: 1, failed: 2, committed: 3 } as const;

/** Operands of {@linkcode reveal}; what they hold stands in reveal.wgsl. */
export interface Reveal {
  readonly burst: Tensor;
  readonly sequences: Tensor;
  readonly tokens: Tensor;
  readonly heads: Tensor;
  readonly proposals: Tensor;
  readonly counts: Tensor;
  readonly journal: Tensor;
  /** Word of `burst` at which this pass's table begins. */
  readonly segment: number;
  /** Sequences in the pass. */
  readonly lanes: number;
  /** Largest block size, half the tokens kept of a slot. */
  readonly maxBlock: number;
  readonly maskToken: number;
  /** As in {@linkcode Plan}. */
  readonly isScheduled: boolean;
  readonly isShifted: boolean;
}

/** Records the end of a denoising step: proposals become tokens, sequences move, the journal is kept. */
export function reveal(pass: Pass, operands: Reveal): void {
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
    // One at least: it clears the counts of the pass.
    workgroups: [Math.max(1, lanes)],
  });
}
