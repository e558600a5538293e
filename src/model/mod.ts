/** Networks: from a checkpoint to something that denoises. */
import { type Gpu, GpuError } from "../gpu/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { WeightFormat } from "../weights/formats.ts";
import { loadBd3lm, type LoadOptions } from "./bd3lm_load.ts";
import { type FamilyConfig, readFamilyConfig } from "./family.ts";
import { checkMemory, estimateMemory } from "./memory.ts";
import type { Network } from "./network.ts";

export type { Denoiser } from "./denoiser.ts";
export { GpuDenoiser } from "./gpu_denoiser.ts";
export { type FamilyConfig, readFamilyConfig } from "./family.ts";
export { estimateMemory, type MemoryEstimate } from "./memory.ts";
export type { Network } from "./network.ts";

/** How a model goes to the device. */
export interface LoadModelOptions {
  /** Storage of the matrices; `null` keeps half-precision files as f16 and the others as f32. */
  readonly weights: WeightFormat | null;
  /** Sequences that will run at a time. */
  readonly slots: number;
  /** What the device can hold, bytes; `null` where unknown. */
  readonly memoryBytes: number | null;
  /** Called with the tensors uploaded so far and all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Storage that loses nothing of note: as precise as the file. */
export function defaultFormat(checkpoint: Checkpoint): WeightFormat {
  return checkpoint.isHalf ? "f16" : "f32";
}

/**
 * Loads the network of a checkpoint.
 *
 * @throws {CheckpointError} If the checkpoint is damaged or of an unknown family.
 * @throws {GpuError} If the device cannot hold the model.
 */
export async function loadModel(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { weights, slots, memoryBytes, onProgress }: LoadModelOptions,
): Promise<Network> {
  const config = readFamilyConfig(checkpoint);
  const format = weights ?? defaultFormat(checkpoint);
  checkMemory(estimateMemory(config, { format, slots }), memoryBytes);
  gpu.device.pushErrorScope("out-of-memory");
  let network: Network;
  let error: GPUError | null = null;
  try {
    network = load(gpu, checkpoint, { config, format, ...(onProgress && { onProgress }) });
  } finally {
    error = await gpu.device.popErrorScope();
  }
  if (!error) return network;
  const { total } = estimateMemory(config, { format, slots });
  const held = gpu.bytes.weights;
  network[Symbol.dispose]();
  throw new GpuError(
    `Cannot load the model: it takes about ${total} bytes of device memory, and the device gave up ` +
      `by ${held} (${error.message})`,
  );
}

function load(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { config, ...options }: LoadOptions & { readonly config: FamilyConfig },
): Network {
  switch (config.modelType) {
    case "bd3lm":
      return loadBd3lm(gpu, checkpoint, { ...options, config });
  }
}
