import type { DecodingRules } from "../../src/model/decoding_rules.ts";

/** How BD3-LM's sampler works. */
export const BD3LM_RULES: DecodingRules = {
  keepsCrossing: false,
  quota: "masks_left",
  shiftsLogits: false,
  slides: true,
};

/** How SDAR's sampler works. */
export const SDAR_RULES: DecodingRules = {
  keepsCrossing: true,
  quota: "schedule",
  shiftsLogits: false,
  slides: false,
};

/** How Fast-dLLM's sampler works. */
export const FAST_DLLM_RULES: DecodingRules = { ...SDAR_RULES, shiftsLogits: true };
