import type { TokenDetails } from "../../kernels/token_details.ts";
import type { SequenceOptions } from "./sequence_state.ts";

export type { TokenDetails, TopToken } from "../../kernels/token_details.ts";

/** How much fits into one pass, and how many sequences there can be. */
export interface DenoiserLimits {
  /** Sequences at a time. */
  readonly slots: number;
  /** Pages of the cache, and tokens of a page. */
  readonly pages: number;
  readonly pageTokens: number;
  /** Rows of one pass. */
  readonly rows: number;
  /** Passes of one burst. */
  readonly passes: number;
  /** Prompt rows of one burst. */
  readonly promptRows: number;
}

/** Bytes on the device by use. */
export interface DeviceMemory {
  readonly weights: number;
  readonly cache: number;
  /** Everything that a pass works with. */
  readonly scratch: number;
}

/** Neighbouring prompt tokens of one sequence: whole blocks, which see each other block-causally. */
export interface PromptRows {
  readonly slot: number;
  /** Position of the first token. */
  readonly position: number;
  readonly tokens: readonly number[];
  readonly blockSize: number;
}

/** What goes into one pass. */
export interface PassPlan {
  /** Slots of the sequences that take a denoising step. */
  readonly lanes: readonly number[];
  readonly prompts: readonly PromptRows[];
}

/** What a pass did to one of its sequences. */
export interface LaneResult {
  readonly slot: number;
  /**
   * `idle`: it was over before. `failed`: the network gave no finite numbers. `committed`: a clean
   * block went to the cache by itself and gave the first token of the next one, which this is about.
   */
  readonly status: "idle" | "denoised" | "committed" | "failed";
  /** Position of its block. */
  readonly start: number;
  /** Denoising steps and forward passes of the block so far. */
  readonly step: number;
  readonly nfe: number;
  /** Masks left in the block. */
  readonly masked: number;
  /** Whether the sequence takes part in no further pass; the block may have masks after its end. */
  readonly isOver: boolean;
  /** The block after the step; `null` where masked. */
  readonly tokens: readonly (number | null)[];
  /** Probabilities with which the step revealed its tokens, as in {@linkcode tokens}; else 0. */
  readonly confidence: readonly number[];
  /** Likewise what the network held of these tokens, else `null`; only where the sequence asks. */
  readonly details?: readonly (TokenDetails | null)[];
}

/** What a sequence leaves behind. */
export interface Remains {
  /** Its first tokens, as far as their keys and values are stored, and are those of a prompt. */
  readonly tokens: readonly number[];
  /** Positions that it has written, or passes under way may yet. */
  readonly reach: number;
}

/** What is kept for sequences that begin alike, and what that was good for. */
export interface PrefixCacheUse {
  /** Pages that sequences can find now. */
  readonly pages: number;
  /** Pages that have made room for others. */
  readonly evictedPages: number;
  /** Prompt tokens that were looked for, and those of them that were found. */
  readonly queryTokens: number;
  readonly hitTokens: number;
}

/** Passes that were recorded and wait to be submitted. */
export interface Burst {
  /** Hands the passes to the device, in order with everything submitted before. */
  submit(): void;
  /**
   * Waits for the passes.
   *
   * @returns Per pass, one result for each of its lanes, in their order.
   * @throws {GpuError} If the device failed.
   */
  read(): Promise<LaneResult[][]>;
}

/** Network, cache and sampler: turns masks into tokens. Sequences move on by themselves. */
export interface Denoiser extends Disposable {
  readonly limits: DenoiserLimits;
  /** Pages that no sequence holds, those kept for others included. */
  readonly freePages: number;
  /** What is kept for sequences that begin alike. */
  readonly prefixCache: PrefixCacheUse;
  readonly memory: DeviceMemory;
  /** Position of the first block that the sequence runs: prompt tokens before it are prefilled. */
  firstBlockStart(options: SequenceOptions): number;
  /** Rows that a sequence has in one pass at most. */
  rowsFor(options: SequenceOptions): number;
  /** Pages that a sequence needs from its first pass to its last. */
  pagesFor(options: SequenceOptions): number;
  /** Whether there are pages for a sequence now. */
  hasRoom(options: SequenceOptions): boolean;
  /** Puts a sequence into a free slot: its pages, its first block, its place at the start. */
  open(slot: number, options: SequenceOptions): void;
  /** Prompt tokens of a slot from `position` on that are stored by now, by an earlier sequence. */
  reuse(slot: number, position: number): number;
  /** Frees a slot and its pages. Of a sequence that has failed nothing remains. */
  close(slot: number, remains: Remains | null): void;
  /** Records passes. At most two bursts may be unread at a time. */
  record(passes: readonly PassPlan[]): Burst;
}
