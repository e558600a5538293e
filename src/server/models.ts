import type { Context } from "hono";
import { STRATEGIES } from "../diffusion/remasking/mod.ts";
import type { AppEnv } from "./context.ts";
import { jsonResponse } from "./errors.ts";
import type { LoadedModel, LoadedModels } from "./loaded_models.ts";
import { samplingDefaults } from "./sampling.ts";

/** GET: lists what is served, the default model first. */
export function listModels(models: LoadedModels): () => Promise<Response> {
  return async () => {
    const data = (await models.all()).map(toWire);
    return jsonResponse({ object: "list", data });
  };
}

/** GET: tells of the model named in the path. */
export function showModel(models: LoadedModels): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    return jsonResponse(toWire(await models.find(c.req.param("id") ?? "")));
  };
}

function toWire({ engine: { model }, chat }: LoadedModel): Record<string, unknown> {
  const defaults = samplingDefaults(model);
  return {
    id: model.id,
    object: "model",
    created: model.created,
    owned_by: "local",
    context_length: model.contextLength,
    vocab_size: model.vocabSize,
    bos_token_id: model.bosToken,
    eos_token_id: model.eosToken,
    stop_token_ids: model.stopTokens,
    mask_token_id: model.maskToken,
    block_sizes: model.blockSizes,
    default_block_size: model.defaultBlockSize,
    strategies: STRATEGIES,
    default_strategy: defaults.strategy,
    defaults,
    // What the endpoints of this server can do with the model.
    capabilities: {
      completions: true,
      chat: chat !== null,
      score: model.scores,
      slide: model.slides,
    },
  };
}
