import { LowConfidenceDynamic } from "../diffusion/remasking/low_confidence_dynamic.ts";
import type { StrategyOptions } from "../diffusion/remasking/mod.ts";
import type { ModelInfo } from "../engine/request.ts";
import { CONTRACT_DEFAULTS, type GenerationFields, strategyOptions } from "./schema.ts";

/** How tokens are drawn, and masks chosen to become them. */
export interface Sampling {
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  /** With its options. */
  readonly strategy: StrategyOptions;
}

/** What a request says of it. */
type Asked = Pick<GenerationFields, "temperature" | "top_p" | "top_k" | "strategy"> & {
  readonly options: Readonly<Record<string, unknown>>;
};

/**
 * How a request samples: as it says, else by its model's defaults, else by the contract's. Of those,
 * options count where the strategy takes them.
 *
 * @throws {RequestError} If the request has an option that the strategy does not take.
 */
export function resolveSampling(
  request: Asked,
  { defaults }: Pick<ModelInfo, "defaults">,
): Sampling {
  const fallback = { ...CONTRACT_DEFAULTS, ...defaults };
  const name = request.strategy ?? fallback.strategy;
  return {
    temperature: request.temperature ?? fallback.temperature,
    top_p: request.top_p ?? fallback.top_p,
    top_k: request.top_k ?? fallback.top_k,
    strategy: strategyOptions(name, request.options, defaults),
  };
}

/** What requests get that say nothing of sampling, whether by the model or by the contract. */
export function samplingDefaults({ defaults }: Pick<ModelInfo, "defaults">) {
  const { strategy, ...others } = resolveSampling({ options: {} }, { defaults });
  return {
    ...others,
    strategy: strategy.strategy,
    steps: defaults.steps ?? null,
    threshold: LowConfidenceDynamic.shape.threshold.parse(defaults.threshold),
  };
}
