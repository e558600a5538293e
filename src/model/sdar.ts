import type { Checkpoint } from "../weights/checkpoint.ts";
import type { DecodingRules, SamplingDefaults } from "./decoding_rules.ts";
import { type QwenConfig, readQwenConfig, statedBlockSize } from "./qwen_config.ts";

/** Configuration of a model that is sampled as SDAR is. */
export interface SdarConfig extends QwenConfig {
  readonly modelType: "sdar";
}

/** Of the checkpoints that say nothing else. */
const SDAR_BLOCK = 4;
const A2D_BLOCK = 32;

// Source: JetAstra/SDAR, `generate.py`: `block_diffusion_generate`, `top_p_logits`.
const DECODING: DecodingRules = {
  keepsCrossing: true,
  quota: "schedule",
  shiftsLogits: false,
  slides: false,
};

/**
 * SDAR's published quality is that of greedy sampling; its README has the threshold.
 *
 * Its `generation_config.json` is left over from the autoregressive base: no original reads it.
 *
 * Source: JetAstra/SDAR, `README.md`; Labman42/JetEngine.
 */
const SDAR_DEFAULTS: SamplingDefaults = {
  temperature: 0,
  strategy: "low_confidence_dynamic",
  threshold: 0.9,
};

/** Those of Tiny-A2D's: the most probable tokens, one a step. */
const A2D_DEFAULTS: SamplingDefaults = { temperature: 0, strategy: "low_confidence_static" };

/**
 * Reads the configuration of SDAR, and of models that load and are sampled alike: TraDo, OPDLM,
 * Tiny-A2D. The trained block size stands in `config.json`, or in the name of the repository, or it is
 * the usual one.
 *
 * Source: Cheng et al. 2025, "SDAR: A synergistic diffusion-autoregression paradigm".
 *
 * @throws {CheckpointError} If config or tensors are not those of such a model.
 */
export function readSdarConfig(checkpoint: Checkpoint): SdarConfig {
  const isA2d = checkpoint.config.model_type === "a2d-qwen3";
  const blockSize = statedBlockSize(checkpoint, ["block_size", "bd_size"]) ??
    blockSizeInName(checkpoint.name) ?? (isA2d ? A2D_BLOCK : SDAR_BLOCK);
  const defaults = isA2d ? A2D_DEFAULTS : SDAR_DEFAULTS;
  const config = readQwenConfig(checkpoint, { blockSize, decoding: DECODING, defaults });
  return { ...config, modelType: "sdar" };
}

/** As in `SDAR-1.7B-Chat-b16`. */
function blockSizeInName(name: string): number | null {
  const size = /-b([1-9]\d{0,2})(?=-|$)/i.exec(name)?.[1];
  return size === undefined ? null : Number(size);
}
