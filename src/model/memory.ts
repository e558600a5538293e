import { paddedHeadSize } from "../../kernels/mod.ts";
import { GpuError } from "../gpu/mod.ts";
import { align, embeddingFormat, weightBytes, type WeightFormat } from "../weights/formats.ts";
import type { Bd3lmConfig } from "./bd3lm_config.ts";
import type { FamilyConfig } from "./family.ts";
import { denoiserLimits } from "./denoiser_limits.ts";
import { LOGITS_BYTES } from "./head_parts.ts";
import { cacheFormatFor, PAGE_TOKENS } from "./kv_cache.ts";
import type { QwenConfig } from "./qwen_config.ts";

/** Device memory that a model takes, bytes. */
export interface MemoryEstimate {
  readonly weights: number;
  readonly cache: number;
  readonly scratch: number;
  readonly total: number;
}

/** Estimates device memory before anything is loaded. */
export function estimateMemory(
  config: FamilyConfig,
  { format, slots, scorePages = 0 }: {
    readonly format: WeightFormat;
    readonly slots: number;
    /** Pages of a cache for likelihoods, beside that of the sequences. */
    readonly scorePages?: number;
  },
): MemoryEstimate {
  const { matrices, vectors, cached, row } = demandOf(config);
  const width = align(config.hiddenSize);
  // A tied output layer serves as the embedding where it is as precise.
  const isShared = "isTied" in config && config.isTied && embeddingFormat(format) === format;
  const embedding = isShared ? 0 : config.vocabSize * width * weightBytes(embeddingFormat(format));
  const output = align(config.vocabSize) * width;
  const weights = (matrices + output) * weightBytes(format) + embedding + 4 * vectors;
  const limits = denoiserLimits({ config }, { slots });
  const cacheBytes = cacheFormatFor(format) === "f16" ? 2 : 4;
  const cache = (limits.pages + scorePages) * PAGE_TOKENS * cached * cacheBytes;
  const logits = Math.min(LOGITS_BYTES, limits.rows * align(config.vocabSize) * 4);
  const scratch = limits.rows * 4 * row + logits;
  return { weights, cache, scratch, total: weights + cache + scratch };
}

/** Numbers that a network keeps, padding included; embedding and output layer left out. */
interface Demand {
  readonly matrices: number;
  /** Always f32. */
  readonly vectors: number;
  /** Of a token in the cache of all layers. */
  readonly cached: number;
  /** Of a row on its way through a layer. */
  readonly row: number;
}

function demandOf(config: FamilyConfig): Demand {
  switch (config.modelType) {
    case "bd3lm":
      return demandOfBd3lm(config);
    case "sdar":
    case "fast_dllm":
      return demandOfQwen(config);
  }
}

function demandOfBd3lm(
  { hiddenSize, layers, heads, headSize, timeConditioning, condSize }: Bd3lmConfig,
): Demand {
  const width = align(hiddenSize);
  const attended = heads * paddedHeadSize(headSize);
  const inner = align(4 * hiddenSize);
  // A constant conditioning is computed at load and leaves its results; any other stays, in f32.
  const conditioner = timeConditioning ? (6 * layers + 2) * width * align(condSize) : 0;
  return {
    matrices: layers * width * (4 * attended + 2 * inner),
    vectors: layers * 16 * width + conditioner,
    cached: 2 * layers * attended,
    row: 3 * width + 2 * attended + inner,
  };
}

function demandOfQwen(
  { hiddenSize, innerSize, layers, heads, sharedHeads, headSize }: QwenConfig,
): Demand {
  const width = align(hiddenSize);
  const inner = align(innerSize);
  const head = paddedHeadSize(headSize);
  const [attended, shared] = [heads * head, sharedHeads * head];
  return {
    matrices: layers * width * (2 * attended + 2 * shared + 3 * inner),
    // Every matrix has a bias on the device, if only of zeros.
    vectors: layers * (4 * width + attended + 2 * shared + 2 * inner + 2 * head),
    cached: 2 * layers * shared,
    row: 3 * width + 2 * (attended + shared) + inner,
  };
}

/**
 * Checks an estimate against what the device has.
 *
 * @param available Bytes; `null` where unknown.
 * @throws {GpuError} If it does not fit.
 */
export function checkMemory(estimate: MemoryEstimate, available: number | null): void {
  if (available === null || estimate.total <= available) return;
  throw new GpuError(
    `Cannot load the model: it takes about ${mebibytes(estimate.total)} of device memory ` +
      `(weights ${mebibytes(estimate.weights)}, cache ${mebibytes(estimate.cache)}, ` +
      `scratch ${mebibytes(estimate.scratch)}), expected at most ${mebibytes(available)}`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
