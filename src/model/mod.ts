/** Networks: from a checkpoint to something that denoises. */
import { type Gpu, GpuError } from "../gpu/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { WeightFormat } from "../weights/formats.ts";
import { allocateBd3lm } from "./bd3lm_load.ts";
import { type FamilyConfig, readFamilyConfig } from "./family.ts";
import { checkMemory, estimateMemory, type MemoryEstimate } from "./memory.ts";
import type { Network } from "./network.ts";
import { allocateQwen } from "./qwen_load.ts";
import type { Allocated, LoadOptions } from "./weight_loader.ts";

export type { Denoiser } from "./denoiser.ts";
export { GpuDenoiser } from "./gpu_denoiser.ts";
export { type FamilyConfig, readFamilyConfig } from "./family.ts";
export { estimateMemory, type MemoryEstimate } from "./memory.ts";
export type { Network } from "./network.ts";

/** How a model goes to the device. */
export interface LoadModelOptions {
  /** Storage of the matrices; `null` keeps that of the file: see {@linkcode defaultFormat}. */
  readonly weights: WeightFormat | null;
  /** Sequences that will run at a time. */
  readonly slots: number;
  /** See {@linkcode readFamilyConfig}. */
  readonly contextLength?: number;
  /** Pages of a cache for likelihoods; none where left out. */
  readonly scorePages?: number;
  /** What the device can hold, bytes; `null` where unknown. */
  readonly memoryBytes: number | null;
  /** Called with the tensors uploaded so far and all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Storage that loses nothing of note: that of the file, or as precise. */
export function defaultFormat(checkpoint: Checkpoint): WeightFormat {
  if (checkpoint.quantization !== null) return checkpoint.quantization.format;
  return checkpoint.isHalf ? "f16" : "f32";
}

/**
 * Allocates the network of a checkpoint.
 *
 * @returns It, and what uploads the weights: meanwhile kernels may be compiled. That throws a
 * `RangeError` where a weight does not fit the format.
 * @throws {CheckpointError} If the checkpoint is damaged or of an unknown family.
 * @throws {GpuError} If the device cannot hold the model.
 */
export async function allocateModel(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: LoadModelOptions,
): Promise<{ network: Network; fill: () => Promise<void> }> {
  const { weights, slots, scorePages = 0, memoryBytes, onProgress } = options;
  const config = readFamilyConfig(checkpoint, options);
  const format = weights ?? defaultFormat(checkpoint);
  const estimate = estimateMemory(config, { format, slots, scorePages });
  checkMemory(estimate, memoryBytes);
  const loading = { config, format, ...(onProgress && { onProgress }) };
  let allocated: Allocated<Network> | undefined;
  try {
    await inMemory(gpu, estimate, () => allocated = allocate(gpu, checkpoint, loading));
  } catch (error) {
    allocated?.network[Symbol.dispose]();
    throw error;
  }
  const { network, fill } = allocated!; // Or the line above has thrown.
  return { network, fill: () => inMemory(gpu, estimate, fill) };
}

/** Runs `work`, and throws if the device has run out of memory by then. */
async function inMemory(
  gpu: Gpu,
  { total }: MemoryEstimate,
  work: () => void,
): Promise<void> {
  gpu.device.pushErrorScope("out-of-memory");
  let error: GPUError | null = null;
  try {
    work();
  } finally {
    error = await gpu.device.popErrorScope();
  }
  if (!error) return;
  throw new GpuError(
    `Cannot load the model: it takes about ${total} bytes of device memory, and the device gave up ` +
      `by ${gpu.bytes.weights} (${error.message})`,
  );
}

function allocate(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { config, ...options }: LoadOptions & { readonly config: FamilyConfig },
): Allocated<Network> {
  switch (config.modelType) {
    case "bd3lm":
      return allocateBd3lm(gpu, checkpoint, { ...options, config });
    case "sdar":
    case "fast_dllm":
      return allocateQwen(gpu, checkpoint, { ...options, config });
  }
}
