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
  const { strategy: name, ...others } = { ...CONTRACT_DEFAULTS, ...defaults, ...given(request) };
  const { temperature, top_p, top_k } = others;
  const strategy = strategyOptions(name, request.options, defaults);
  return { temperature, top_p, top_k, strategy };
}

function given({ temperature, top_p, top_k, strategy }: Asked) {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(top_k !== undefined && { top_k }),
    ...(strategy !== undefined && { strategy }),
  };
}

/** What a request gets of a model that says nothing of sampling. */
export function samplingDefaults({ defaults }: Pick<ModelInfo, "defaults">) {
  const { temperature, top_p, top_k, strategy } = resolveSampling({ options: {} }, { defaults });
  const { threshold } = strategyOptions("low_confidence_dynamic", {}, defaults) as Extract<
    StrategyOptions,
    { strategy: "low_confidence_dynamic" }
  >;
  return {
    ...{ temperature, top_p, top_k, strategy: strategy.strategy },
    steps: defaults.steps ?? null,
    threshold,
  };
}
