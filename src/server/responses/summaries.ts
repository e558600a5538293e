import { z } from "zod";
import { STRATEGIES } from "../../diffusion/remasking/mod.ts";
import { Count } from "./numbers.ts";

/** What an answer counts as. */
export const Usage = z.object({
  prompt_tokens: Count
    .describe("Tokens fed to the model, a BOS included; each prompt counts once."),
  completion_tokens: Count.describe("Tokens generated, an end token included."),
  total_tokens: Count.describe("The sum of both."),
  prompt_tokens_details: z.object({
    cached_tokens: z.int().min(1)
      .describe("Prompt tokens that an earlier request has left in the cache."),
  }).optional().describe("Only where the cache had some of the prompt."),
}).describe("How many tokens a request took.");

/** How an answer was made. */
export const Diffusion = z.object({
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER)
    .describe("The seed of the request, or the one drawn for it."),
  strategy: z.enum(STRATEGIES).describe("The remasking strategy."),
  block_size: z.int().min(1).describe("Tokens denoised together."),
  blocks: Count.describe("Blocks generated."),
  steps: Count.describe("Denoising steps executed."),
  nfe: Count.describe("Denoising forward passes."),
}).describe("How the text was made, summed up over all choices.");

/** The place in the software's history that a seed's tokens belong to. */
export const Fingerprint = z.string().regex(/^bd-[0-9a-f]{12}$/)
  .describe("Names the version, model and device, with which a seed gives the same tokens.");

/** Why the text of a choice of OpenAI's endpoints ended. */
export const FinishReason = z.enum(["stop", "length"]).describe(
  "`stop`: the end token, a stop string or low entropy; `length`: `max_tokens`.",
);
