import type { Context } from "hono";
import { z } from "zod";
import { readJson } from "./body.ts";
import type { AppEnv } from "./context.ts";
import { jsonResponse } from "./errors.ts";
import type { ServerParts } from "./parts.ts";
import { parseFields } from "./schema.ts";
import { checkTokens, withBos } from "./token_ids.ts";

const model = z.string().optional()
  .describe("Id of a served model; the default model where it is absent.");

/** Fields of a request to `/tokenize`. */
export const TokenizeFields = z.strictObject({
  model,
  text: z.string().describe("Text to turn into token ids; it never becomes special tokens."),
  add_special_tokens: z.boolean().default(false)
    .describe("Whether to put a BOS first, where the model has one."),
});

/** Fields of a request to `/detokenize`. */
export const DetokenizeFields = z.strictObject({
  model,
  tokens: z.array(z.int()).describe("Token ids below the vocabulary size, but not the mask."),
});

type Handler = (c: Context<AppEnv>) => Promise<Response>;

/** POST: turns text into token ids. */
export function tokenize({ models, settings }: ServerParts): Handler {
  return async (c) => {
    const fields = parseFields(TokenizeFields, await readJson(c.req.raw, settings));
    const { engine: { model }, tokenizer } = await models.find(fields.model);
    const text = tokenizer.encode(fields.text);
    const tokens = fields.add_special_tokens ? withBos(text, model.bosToken) : text;
    return jsonResponse({
      model: model.id,
      tokens,
      count: tokens.length,
      context_length: model.contextLength,
    });
  };
}

/** POST: turns token ids into the text that they spell. */
export function detokenize({ models, settings }: ServerParts): Handler {
  return async (c) => {
    const fields = parseFields(DetokenizeFields, await readJson(c.req.raw, settings));
    const { engine: { model }, tokenizer } = await models.find(fields.model);
    const tokens = checkTokens(fields.tokens, { model, name: "tokens" });
    return jsonResponse({ model: model.id, text: tokenizer.decode(tokens) });
  };
}
