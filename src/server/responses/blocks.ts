import { z } from "zod";
import { STRATEGIES } from "../../diffusion/remasking/mod.ts";
import { Count, Logprob, Milliseconds, Nats, Probability, Seconds, TokenId } from "./numbers.ts";
import { Fingerprint, Usage } from "./summaries.ts";

/** What the `start` event tells. */
export const BlocksStart = z.object({
  id: z.string().regex(/^blk_[A-Za-z0-9_-]{22,}$/)
    .describe("Names the generation: with it a client comes back or cancels."),
  object: z.literal("blocks.start").describe("What this is."),
  created: Seconds,
  model: z.string().describe("Id of the model."),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER)
    .describe("The seed of the request, or the one drawn for it."),
  prompt_tokens: Count.describe("Tokens fed to the model, a BOS included."),
  max_tokens: z.int().min(1).describe("Most tokens that are generated."),
  queue_position: Count.describe("Sequences that wait before this one."),
  params: z.object({
    block_size: z.int().min(1).describe("Tokens denoised together."),
    sub_block_size: z.int().min(1).optional()
      .describe("Tokens of a block denoised before those after them, where it has such parts."),
    strategy: z.enum(STRATEGIES).describe("The remasking strategy."),
    steps: z.int().min(1).nullable().describe("Most denoising steps for a block, if limited."),
    threshold: z.number().nullable().describe("Its confidence, where the strategy has one."),
    entropy_bound: z.number().nullable().describe("Its nats, where the strategy has such a bound."),
    temperature: z.number().describe("What logits are divided by."),
    top_p: z.number().describe("Share of the probability that is drawn from."),
    top_k: Count.describe("Most probable tokens that are drawn from; 0 is off."),
  }).describe("How it samples, defaults filled in."),
  resume_ms: Count.describe("For how long a client may be away, in milliseconds."),
  system_fingerprint: Fingerprint,
}).describe("Data of the `start` event: the generation was admitted.");

const ToldToken = z.object({
  token: TokenId.describe("Its id."),
  piece: z.string().describe("Its text; U+FFFD for part of a character."),
  logprob: Logprob,
});

/** What is told of tokens on request. */
const FACTS = {
  logprobs: z.array(Logprob).optional()
    .describe("Only with `logprobs`: of the tokens, in their order."),
  top_logprobs: z.array(z.array(ToldToken)).optional().describe(
    "Only with `top_logprobs`: the most probable tokens in each of these places, falling, whether " +
      "they were drawn or not.",
  ),
  entropy: z.array(Nats).optional()
    .describe("Only with `entropy`: how undecided the model was, at the request's temperature."),
};

const perPosition = <T extends z.ZodType>(value: T) => z.array(value.nullable());

/** What a `step` event tells. */
export const BlocksStep = z.object({
  block: Count.describe("Index of the block."),
  step: Count.describe(
    "Denoising steps of this block so far; 0 where the commit of the block before gave its first token.",
  ),
  nfe: Count.describe("Denoising forward passes of this block so far."),
  tokens: perPosition(TokenId).describe("The block's token ids; null where it is masked."),
  pieces: perPosition(z.string())
    .describe("The texts of these tokens one by one; U+FFFD for part of a character."),
  revealed: z.array(Count).describe("Indices into `tokens` that this step filled."),
  confidence: z.array(Probability)
    .describe("Probabilities of the tokens drawn there, in the order of `revealed`."),
  ...FACTS,
}).describe("Data of a `step` event: the state of a block after one denoising step.");

/** What a `block` event tells. */
export const Block = z.object({
  index: Count.describe("Counts blocks from 0."),
  position: Count.describe("Place of the first token, counted from the beginning of the prompt."),
  tokens: z.array(TokenId).min(1)
    .describe("Token ids, up to the end token or the one that completed a stop string."),
  ...FACTS,
  step_map: z.array(Count).optional().describe(
    "Only with `step_map`: the steps of the block in which its tokens fell, as in `step` events.",
  ),
  confidence: z.array(Probability).optional()
    .describe("Only with `confidence`: the probabilities with which its tokens were drawn."),
  text: z.string().describe("What the block adds to the text; may be empty."),
  steps: Count.describe("Denoising steps executed."),
  nfe: Count.describe("Denoising forward passes."),
  ms: Milliseconds.describe("Milliseconds since the block before, or since admission."),
}).describe("Data of a `block` event: a finished block.");

/** What the `done` event tells. */
export const BlocksDone = z.object({
  finish_reason: z.enum(["stop", "length", "cancelled"]).describe(
    "`stop`: the end token, a stop string or low entropy; `length`: `max_tokens`; `cancelled`.",
  ),
  stop_reason: z.enum(["eos", "stop", "entropy", "length", "cancelled"])
    .describe("The same, more exactly."),
  stop: z.string().nullable().describe("The stop string that ended it."),
  usage: Usage,
  blocks: Count.describe("Blocks generated."),
  steps: Count.describe("Denoising steps of all blocks."),
  nfe: Count.describe("Denoising forward passes of all blocks."),
  passes: Count.describe("All forward passes that the sequence took part in, prefill included."),
  text_sha256: z.string().regex(/^[0-9a-f]{64}$/)
    .describe("SHA-256 of the UTF-8 of all texts joined, in hex: a client that lost none has it."),
  timings: z.object({
    queue_ms: Milliseconds.describe("Milliseconds waited before admission."),
    first_block_ms: Milliseconds.nullable()
      .describe("Milliseconds from submission to the first block; null where there was none."),
    generate_ms: Milliseconds.describe("Milliseconds from admission to the end."),
    total_ms: Milliseconds.describe("Milliseconds from submission to the end."),
    tokens_per_second: z.number().min(0).describe("Generated tokens per second after admission."),
  }).describe("How long it took."),
}).describe("Data of the `done` event: nothing follows.");

/** The answer of `/v1/blocks` with `stream: false`. */
export const BlocksAnswer = z.object({
  ...BlocksStart.shape,
  ...BlocksDone.shape,
  object: z.literal("blocks").describe("What this is."),
  text: z.string().describe("The texts of all blocks joined."),
  blocks: z.array(Block).describe("All blocks, in order."),
}).describe("A whole generation: what the events of its stream tell.");
