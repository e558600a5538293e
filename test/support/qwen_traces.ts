/** Recorded runs of SDAR's and Fast-dLLM's samplers: fields as `test/fixtures/README.md` has them. */
import { readJson } from "./fixtures.ts";

/** One denoising pass. */
export interface QwenTraceStep {
  /** Absolute index. */
  readonly block: number;
  /** Fast-dLLM only: index in the block. */
  readonly sub_block?: number;
  /** In the block; with sub-blocks in the sub-block. */
  readonly step: number;
  /** SDAR only: tokens that the schedule wants. */
  readonly n?: number;
  /** The block before, and afterwards. */
  readonly x: readonly number[];
  readonly x_after: readonly number[];
  /** Masked positions of the block that a token was drawn for, and what was drawn. */
  readonly pos: readonly number[];
  readonly token: readonly number[];
  readonly confidence: readonly number[];
  readonly entropy?: readonly number[];
  /** Positions written. */
  readonly transfer: readonly number[];
  /** One per position of the block, or of the sub-block; left out at temperature 0. */
  readonly u_cat?: readonly number[];
  /** One per position of the block; `random` only. */
  readonly u_rank?: readonly number[];
}

/** A recorded run. */
export interface QwenTrace {
  readonly family: "sdar" | "fast-dllm-v2";
  readonly strategy:
    | "sequential"
    | "low_confidence_static"
    | "low_confidence_dynamic"
    | "entropy_bounded"
    | "random"
    | "threshold";
  readonly temperature: number;
  readonly top_k?: number;
  readonly top_p: number;
  readonly threshold: number | null;
  readonly entropy_bound?: number | null;
  readonly steps_per_block?: number;
  readonly block_size: number;
  readonly sub_block_size?: number;
  readonly mask: number;
  /** Whether the mask was left out of the draws. */
  readonly mask_banned: boolean;
  readonly stop: number | readonly number[];
  readonly prompt: readonly number[];
  /** Tokens before the blocks that are denoised. */
  readonly prefill: number;
  /** Fast-dLLM only: first tokens of blocks, in order. */
  readonly seeds?: readonly number[];
  /** Prompt, and all that was denoised; masks may be left where a stop token ended it. */
  readonly tokens: readonly number[];
  /** What was asked for of it. */
  readonly output: readonly number[];
  readonly finish_reason: "stop" | "length";
  /** Denoising passes. */
  readonly nfe: number;
  /** Passes over finished blocks, those of the prompt not counted. */
  readonly commits: number;
  /** SDAR: tokens asked for; Fast-dLLM: rounded to blocks. */
  readonly gen_length?: number;
  readonly max_new_tokens?: number;
  readonly steps: readonly QwenTraceStep[];
}

/** A trace as it was recorded. */
export function readQwenTrace(path: string): QwenTrace {
  // The recorder writes these fields; what it writes is described in the fixtures' README.
  return readJson(path) as QwenTrace;
}

/** Tokens that end the run. */
export function stopsOf({ stop }: QwenTrace): readonly number[] {
  return typeof stop === "number" ? [stop] : stop;
}

/** Most tokens that the run could have. */
export function lengthOf({ gen_length, output, finish_reason, max_new_tokens }: QwenTrace): number {
  // Fast-dLLM counts blocks, of which the prompt may hold a part, and appends the last seed.
  const rounded = finish_reason === "length" ? output.length : max_new_tokens ?? 0;
  return gen_length ?? rounded;
}

/** The recorded uniform number for a position of the block; 0 where nothing is drawn. */
export function uniformFor(
  { u_cat, sub_block = 0 }: QwenTraceStep,
  offset: number,
  { sub_block_size = 0 }: QwenTrace,
): number {
  return u_cat?.[offset - sub_block * sub_block_size] ?? 0;
}
