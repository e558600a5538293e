import type { SamplingDefaults } from "./decoding_rules.ts";

/**
 * Sampling for SDAR: the published quality figures are greedy, and its own engine takes 0.9 for a
 * threshold.
 *
 * Its `generation_config.json` is left over from the autoregressive base: no original reads it.
 *
 * Source: JetAstra/SDAR, `README.md`; Labman42/JetEngine.
 */
export const SDAR_DEFAULTS: SamplingDefaults = {
  temperature: 0,
  strategy: "low_confidence_dynamic",
  threshold: 0.9,
};

/**
 * Sampling for Fast-dLLM v2: the published speed figures are greedy at a threshold of 0.9, and 0.95
 * is the share that its sampler draws from once a temperature is asked for.
 *
 * Its `generation_config.json` is left over from the autoregressive base: no original reads it.
 *
 * Source: the hub's `modeling.py` of Fast_dLLM_v2_7B, `generate()`.
 */
export const FAST_DLLM_DEFAULTS: SamplingDefaults = {
  temperature: 0,
  top_p: 0.95,
  strategy: "low_confidence_dynamic",
  threshold: 0.9,
};
