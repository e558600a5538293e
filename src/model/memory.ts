import { paddedHeadSize } from "../../kernels/mod.ts";
import { GpuError } from "../gpu/mod.ts";
import { align, embeddingFormat, weightBytes, type WeightFormat } from "../weights/formats.ts";
import type { FamilyConfig } from "./family.ts";
import { denoiserLimits } from "./gpu_denoiser.ts";
import { LOGITS_BYTES } from "./head_parts.ts";
import { cacheFormatFor, PAGE_TOKENS } from "./kv_cache.ts";

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
  const { hiddenSize, layers, heads, headSize, vocabSize, timeConditioning, condSize } = config;
  const width = align(hiddenSize);
  const attended = heads * paddedHeadSize(headSize);
  const inner = align(4 * hiddenSize);
  const matrices = layers * width * (4 * attended + 2 * inner) + align(vocabSize) * width;
  const embedding = vocabSize * width * weightBytes(embeddingFormat(format));
  // A constant conditioning is computed at load and leaves its results; any other stays, in f32.
  const conditioner = timeConditioning ? (6 * layers + 2) * width * align(condSize) : 0;
  const vectors = layers * 16 * width;
  const weights = matrices * weightBytes(format) + embedding + 4 * (vectors + conditioner);
  const limits = denoiserLimits({ config }, { slots });
  const cacheBytes = cacheFormatFor(format) === "f16" ? 2 : 4;
  const positions = (limits.pages + scorePages) * PAGE_TOKENS;
  const cache = 2 * layers * positions * attended * cacheBytes;
  const logits = Math.min(LOGITS_BYTES, limits.rows * align(vocabSize) * 4);
  const scratch = limits.rows * 4 * (3 * width + 2 * attended + inner) + logits;
  return { weights, cache, scratch, total: weights + cache + scratch };
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
