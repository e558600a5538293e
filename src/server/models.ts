import type { Context } from "hono";
import { STRATEGIES } from "../diffusion/remasking/mod.ts";
import type { ModelInfo } from "../engine/request.ts";
import type { AppEnv } from "./context.ts";
import { jsonResponse } from "./errors.ts";
import type { LoadedModels } from "./loaded_models.ts";

/** What the endpoints of this server can do with its models. */
const CAPABILITIES = { completions: false, chat: false, score: false, slide: true };

/** GET: lists what is served, the default model first. */
export function listModels(models: LoadedModels): () => Promise<Response> {
  return async () => {
    const data = (await models.all()).map(({ engine }) => toWire(engine.model));
    return jsonResponse({ object: "list", data });
  };
}

/** GET: tells of the model named in the path. */
export function showModel(models: LoadedModels): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    const { engine } = await models.find(c.req.param("id") ?? "");
    return jsonResponse(toWire(engine.model));
  };
}

function toWire(model: ModelInfo): Record<string, unknown> {
  return {
    id: model.id,
    object: "model",
    created: model.created,
    owned_by: "local",
    context_length: model.contextLength,
    vocab_size: model.vocabSize,
    bos_token_id: model.bosToken,
    eos_token_id: model.eosToken,
    mask_token_id: model.maskToken,
    block_sizes: model.blockSizes,
    default_block_size: model.defaultBlockSize,
    strategies: STRATEGIES,
    default_strategy: STRATEGIES[0],
    capabilities: CAPABILITIES,
  };
}
