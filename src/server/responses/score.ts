import { z } from "zod";
import { Count, TokenId } from "./numbers.ts";

/** The answer of `/v1/score`. */
export const Score = z.object({
  object: z.literal("score").describe("What this is."),
  model: z.string().describe("Id of the model."),
  seed: z.int().min(0).describe("What the noise was drawn from."),
  data: z.array(z.object({
    index: Count.describe("Counts inputs from 0."),
    tokens: z.int().min(1).describe("Tokens that were scored."),
    nelbo: z.number().min(0)
      .describe("Bound on the negative log-likelihood of these tokens together, in nats."),
    nelbo_per_token: z.number().min(0).describe("The bound divided by their number."),
    stderr: z.number().min(0)
      .describe("Standard error of `nelbo` over draws; 0 with one draw or when `exact`."),
    perplexity: z.number().min(1).describe("The exponential of `nelbo_per_token`."),
    exact: z.boolean()
      .describe("Whether the bound is the likelihood itself: with blocks of one token."),
    token_ids: z.array(TokenId).optional()
      .describe("With `details`: the tokens that were scored."),
    token_nelbo: z.array(z.number().min(0)).optional()
      .describe("With `details`: what each of them has in `nelbo`, which is their sum."),
    pieces: z.array(z.string()).optional()
      .describe("With `details`: their texts one by one; U+FFFD for part of a character."),
  })).describe("One for each input, in their order."),
  usage: z.object({
    prompt_tokens: Count.describe("Tokens fed to the model, a BOS included where it has one."),
    total_tokens: Count.describe("The same."),
  }).describe("Tokens of the request."),
}).describe("How likely the model finds texts.");
