import type { ModelInfo, SequenceRequest } from "../engine/request.ts";
import { invalidValue, RequestError } from "./errors.ts";
import type { LoadedModel } from "./loaded_models.ts";
import type { RandomBytes } from "./request_id.ts";
import { resolveSampling } from "./sampling.ts";
import type { BlocksRequest } from "./schema.ts";
import {
  type AskedFacts,
  engineFields,
  type FACT_FIELDS,
  type LOGPROB_FIELDS,
} from "./token_facts.ts";
import { checkTokens, withBos } from "./token_ids.ts";

/** Tokens of an answer where the request does not say, and as many fit. */
export const DEFAULT_MAX_TOKENS = 256;

// With the longest generation that can be allowed, this stays below the positions that rotary tables
// reach.
const MAX_PROMPT_TOKENS = 1_000_000;

/** The fields of a request that say what to generate. */
export type GenerationRequest = Omit<
  BlocksRequest,
  "stream" | "trace" | "resume_ms" | keyof typeof FACT_FIELDS | keyof typeof LOGPROB_FIELDS
>;

/** What planning looks at beside the request and its model. */
export interface PlanOptions {
  /** Largest `max_tokens` with `overflow: "slide"`. */
  readonly maxOutputTokens: number;
  readonly trace: boolean;
  /** What is to be told of each token; nothing where left out. */
  readonly asked?: AskedFacts;
  readonly randomBytes: RandomBytes;
  /** Tokens of an answer where the request does not say; {@linkcode DEFAULT_MAX_TOKENS}. */
  readonly defaultMaxTokens?: number;
  /** What refusals call the prompt and the length; `prompt` and `max_tokens`. */
  readonly names?: { readonly prompt?: string; readonly maxTokens?: string };
}

/**
 * Turns a request's fields into what its model's engine is asked to do: checks what depends on the
 * model, tokenises, picks a seed where none is given.
 *
 * @throws {RequestError} If the model cannot do it.
 */
export function planGeneration(
  request: GenerationRequest,
  { engine: { model }, tokenizer }: LoadedModel,
  options: PlanOptions,
): SequenceRequest {
  const { maxOutputTokens, trace, asked, randomBytes } = options;
  const { defaultMaxTokens = DEFAULT_MAX_TOKENS } = options;
  const { prompt: promptName = "prompt", maxTokens: lengthName = "max_tokens" } = options.names ??
    {};
  const slides = request.overflow === "slide";
  const mostTokens = slides ? maxOutputTokens : model.contextLength;
  checkRanges(request, model, { mostTokens, lengthName });
  const prompt = typeof request.prompt === "string"
    ? tokenizer.encode(request.prompt)
    : checkTokens(request.prompt, { model, name: promptName });
  if (prompt.length > MAX_PROMPT_TOKENS) {
    const expected = `at most ${MAX_PROMPT_TOKENS} tokens long`;
    throw invalidValue(promptName, expected, `${prompt.length} tokens`);
  }
  const { strategy, temperature, top_p: topP, top_k: topK } = resolveSampling(request, model);
  const tokens = withBos(prompt, model.bosToken);
  const room = slides ? maxOutputTokens : model.contextLength - tokens.length;
  // At least one, so that a prompt that leaves no room at all is refused as too long.
  const maxTokens = request.max_tokens ?? Math.max(1, Math.min(defaultMaxTokens, room));
  if (maxTokens > room) throw tooLong(model.contextLength, tokens.length, maxTokens);
  return {
    prompt: tokens,
    maxTokens,
    ...blockSizes(request, model),
    strategy,
    temperature,
    topP,
    topK,
    seed: request.seed ?? randomSeed(randomBytes),
    choice: 0,
    stopTokens: request.ignore_eos ? [] : model.stopTokens,
    minEntropy: request.min_entropy,
    trace,
    ...(asked && engineFields(asked)),
  };
}

function checkRanges(
  request: GenerationRequest,
  model: ModelInfo,
  { mostTokens, lengthName }: { readonly mostTokens: number; readonly lengthName: string },
): void {
  const { overflow, max_tokens: maxTokens, top_k: topK, block_size: blockSize } = request;
  if (overflow === "slide" && !model.slides) {
    throw invalidValue("overflow", '"error" with this model', overflow);
  }
  if (maxTokens !== undefined && (maxTokens < 1 || maxTokens > mostTokens)) {
    throw invalidValue(lengthName, `an integer from 1 to ${mostTokens}`, maxTokens);
  }
  if (topK !== undefined && (topK < 0 || topK > model.vocabSize)) {
    throw invalidValue("top_k", `an integer from 0 to ${model.vocabSize}`, topK);
  }
  if (blockSize !== undefined && !model.blockSizes.includes(blockSize)) {
    throw invalidValue("block_size", `one of ${model.blockSizes.join(", ")}`, blockSize);
  }
}

/** The sizes of blocks and sub-blocks; the latter left out where a block is one. */
function blockSizes(
  { block_size: asked, sub_block_size: subBlockSize }: GenerationRequest,
  model: ModelInfo,
): Pick<SequenceRequest, "blockSize" | "subBlockSize"> {
  const blockSize = asked ?? model.defaultBlockSize;
  if (subBlockSize !== undefined) {
    if (subBlockSize >= 1 && blockSize % subBlockSize === 0) return { blockSize, subBlockSize };
    throw invalidValue("sub_block_size", `a divisor of block_size, ${blockSize}`, subBlockSize);
  }
  const { defaultSubBlockSize: usual } = model;
  const isFitting = usual !== null && usual < blockSize && blockSize % usual === 0;
  return isFitting ? { blockSize, subBlockSize: usual } : { blockSize };
}

function tooLong(contextLength: number, promptTokens: number, maxTokens: number): RequestError {
  const message = `This model's context length is ${contextLength} tokens, but ${promptTokens} ` +
    `prompt tokens + ${maxTokens} max_tokens = ${promptTokens + maxTokens} were requested`;
  return new RequestError("context_length_exceeded", message);
}

/** A uniform integer below 2^53. */
export function randomSeed(randomBytes: RandomBytes): number {
  const view = new DataView(randomBytes(8).slice().buffer);
  return (view.getUint32(0) % 2 ** 21) * 2 ** 32 + view.getUint32(4);
}
