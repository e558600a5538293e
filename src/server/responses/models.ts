import { z } from "zod";
import { STRATEGIES } from "../../diffusion/remasking/mod.ts";
import { Count, Seconds, TokenId } from "./numbers.ts";

/** A served model. */
export const Model = z.object({
  id: z.string().describe("What requests name it by."),
  object: z.literal("model").describe("What this is."),
  created: Seconds,
  owned_by: z.literal("local").describe("Models of this server are files of its own."),
  context_length: z.int().min(1).describe("Most tokens of a prompt and its answer together."),
  vocab_size: z.int().min(1).describe("Token ids are below this."),
  bos_token_id: TokenId.nullable().describe("The token put before prompts; null without one."),
  eos_token_id: TokenId.describe("The token that ends a text."),
  stop_token_ids: z.array(TokenId).describe("All tokens that end a text, `eos_token_id` first."),
  mask_token_id: TokenId.describe("The token that stands for what is not known yet."),
  block_sizes: z.array(z.int().min(1)).min(1).describe("What `block_size` may be, rising."),
  default_block_size: z.int().min(1).describe("`block_size` where a request does not say."),
  strategies: z.array(z.enum(STRATEGIES)).describe("What `strategy` may be."),
  default_strategy: z.enum(STRATEGIES).describe("`strategy` where a request does not say."),
  defaults: z.object({
    temperature: z.number().min(0).describe("What logits are divided by."),
    top_p: z.number().gt(0).max(1).describe("Share of the probability that is drawn from."),
    top_k: Count.describe("Most probable tokens that are drawn from; 0 is off."),
    strategy: z.enum(STRATEGIES).describe("The remasking strategy."),
    steps: z.int().min(1).nullable()
      .describe("Steps for a block, where the strategy takes them; null leaves them to it."),
    threshold: z.number().gt(0).max(1).describe("Confidence, where the strategy takes one."),
  }).describe("How requests sample that do not say."),
  capabilities: z.object({
    completions: z.boolean().describe("Whether `/v1/completions` takes it."),
    chat: z.boolean().describe("Whether `/v1/chat/completions` takes it: it has a template."),
    score: z.boolean().describe("Whether `/v1/score` takes it."),
    slide: z.boolean().describe("Whether `overflow` may be `slide`."),
  }).describe("What it can be used for."),
}).describe("A served model, and what requests may ask of it.");

/** The answer of `/v1/models`. */
export const ModelList = z.object({
  object: z.literal("list").describe("What this is."),
  data: z.array(Model).describe("The models, the default one first."),
}).describe("All served models.");
