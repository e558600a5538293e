import type { Checkpoint } from "../weights/checkpoint.ts";
import type { DecodingRules, SamplingDefaults } from "./decoding_rules.ts";
import { type QwenConfig, readQwenConfig, statedBlockSize } from "./qwen_config.ts";

/** Configuration of a Fast-dLLM v2. */
export interface FastDllmConfig extends QwenConfig {
  readonly modelType: "fast_dllm";
}

/** Of the published checkpoints. */
const BLOCK = 32;

// Source: Efficient-Large-Model/Fast_dLLM_v2_7B, `modeling.py`: `generate`, `sample_with_top_p`.
const DECODING: DecodingRules = {
  keepsCrossing: true,
  quota: "masks_left",
  shiftsLogits: true,
  slides: false,
};

/** Those of the published speed, whose quality is the one of a token at a time. */
const DEFAULTS: SamplingDefaults = {
  temperature: 0,
  top_p: 0.95,
  strategy: "low_confidence_dynamic",
  threshold: 0.9,
};

/**
 * Reads the configuration of a Fast-dLLM v2.
 *
 * Source: Wu et al. 2025, "Fast-dLLM v2: Efficient block-diffusion LLM".
 *
 * @throws {CheckpointError} If config or tensors are not those of such a model.
 */
export function readFastDllmConfig(checkpoint: Checkpoint): FastDllmConfig {
  const blockSize = statedBlockSize(checkpoint, ["bd_size", "block_size"]) ?? BLOCK;
  const config = readQwenConfig(checkpoint, { blockSize, decoding: DECODING, defaults: DEFAULTS });
  return { ...config, modelType: "fast_dllm" };
}
