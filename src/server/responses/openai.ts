import { z } from "zod";
import { Count, Logprob, Nats, Probability, Seconds, TokenId } from "./numbers.ts";
import { Diffusion, Fingerprint, FinishReason, Usage } from "./summaries.ts";

const Index = Count
  .describe("Counts choices from 0: all of the first prompt, then those of the next.");
const Rated = z.object({
  token: z.string().describe("Its text; U+FFFD for part of a character."),
  logprob: Logprob,
  bytes: z.array(z.int().min(0).max(255)).nullable()
    .describe("Its text as UTF-8; null for special tokens, which have none."),
});

const ChatLogprobs = z.object({
  content: z.array(Rated.extend({
    top_logprobs: z.array(Rated)
      .describe("The most probable tokens in its place, falling; none without `top_logprobs`."),
  })).describe("The tokens, an end token included."),
  refusal: z.null().describe("Models of this server do not refuse in a field of its own."),
}).nullable().describe("Null without `logprobs`. What the numbers are, `logprob` says.");

const CompletionLogprobs = z.object({
  tokens: z.array(z.string())
    .describe("The generated tokens' texts, an end token included; not those of the prompt."),
  token_logprobs: z.array(Logprob).describe("Of the same tokens."),
  top_logprobs: z.array(z.record(z.string(), Logprob)).nullable().describe(
    "The most probable tokens in the place of each, by their texts; of those with the same text " +
      "the most probable. Null where `logprobs` is 0.",
  ),
  text_offset: z.array(Count).describe("How many characters of the text come before each."),
}).nullable().describe("Null without `logprobs`.");

const TokenList = z.object({
  tokens: z.array(TokenId).describe("Ids of the generated tokens, an end token included."),
  step_map: z.array(Count).optional()
    .describe("Only with `step_map`: the step of its block in which each fell."),
  confidence: z.array(Probability).optional()
    .describe("Only with `confidence`: the probability with which each was drawn."),
  entropy: z.array(Nats).optional()
    .describe("Only with `entropy`: how undecided the model was at each."),
}).optional().describe("Only with `step_map`, `confidence` or `entropy`: how the tokens fell.");

const Text = z.string().describe("The text, after the prompt where `echo` was asked for.");
const Piece = z.string().describe("The text of a finished block; empty at the end of a choice.");
const AssistantRole = z.literal("assistant").describe("Who says it.");

const HEAD = {
  created: Seconds,
  model: z.string().describe("Id of the model."),
  system_fingerprint: Fingerprint,
};

const TOTALS = { usage: Usage, diffusion: Diffusion };

/** What only some chunks of a stream have. */
const CHUNK_TOTALS = {
  usage: Usage.nullable().optional().describe(
    "Only with `include_usage`: in the last chunk, which has no choices; null in all others.",
  ),
  diffusion: Diffusion.optional()
    .describe("In the chunk that ends the last choice: how the text was made."),
};

const ChunkReason = FinishReason.nullable()
  .describe("Null until the choice ends; then as in a whole answer.");

const CompletionId = z.string().regex(/^cmpl-/).describe("Names the answer.");
const ChatId = z.string().regex(/^chatcmpl-/).describe("Names the answer.");

/** The answer of `/v1/completions`. */
export const Completion = z.object({
  id: CompletionId,
  object: z.literal("text_completion").describe("What this is."),
  ...HEAD,
  choices: z.array(z.object({
    index: Index,
    text: Text,
    logprobs: CompletionLogprobs,
    finish_reason: FinishReason,
    diffusion: TokenList,
  })).describe("In the order of `index`."),
  ...TOTALS,
}).describe("Completions of one or several prompts.");

/** A chunk of a stream of `/v1/completions`. */
export const CompletionChunk = z.object({
  id: CompletionId,
  object: z.literal("text_completion").describe("What this is a piece of."),
  ...HEAD,
  choices: z.array(z.object({
    index: Index,
    text: Piece,
    logprobs: CompletionLogprobs,
    finish_reason: ChunkReason,
    diffusion: TokenList,
  })).max(1).describe("The choice that goes on; none in the chunk with the usage."),
  ...CHUNK_TOTALS,
}).describe("A piece of a completion: a finished block, or the end of a choice.");

/** The answer of `/v1/chat/completions`. */
export const ChatCompletion = z.object({
  id: ChatId,
  object: z.literal("chat.completion").describe("What this is."),
  ...HEAD,
  choices: z.array(z.object({
    index: Index,
    message: z.object({
      role: AssistantRole,
      content: z.string().describe("What is said."),
      refusal: z.null().describe("Models of this server do not refuse in a field of its own."),
    }).describe("The assistant's message."),
    logprobs: ChatLogprobs,
    finish_reason: FinishReason,
    diffusion: TokenList,
  })).describe("In the order of `index`."),
  ...TOTALS,
}).describe("The next message of a chat.");

/** A chunk of a stream of `/v1/chat/completions`. */
export const ChatCompletionChunk = z.object({
  id: ChatId,
  object: z.literal("chat.completion.chunk").describe("What this is a piece of."),
  ...HEAD,
  choices: z.array(z.object({
    index: Index,
    delta: z.object({
      role: AssistantRole.optional().describe("In the first chunk of a choice."),
      content: z.string().optional()
        .describe("The text of a finished block; absent at the end of a choice."),
    }).describe("What is added to the message, or with `diffusion_meta` what it is so far."),
    logprobs: ChatLogprobs,
    finish_reason: ChunkReason,
    diffusion: TokenList,
  })).max(1).describe("The choice that goes on; none in the chunk with the usage."),
  diffusion_meta: z.object({
    diffusion_content: z.literal(true).describe("What marks a draft."),
    diffusion_progress: z.number().min(0).max(1)
      .describe("Share of the tokens asked for that are known."),
  }).optional().describe(
    "Only with `diffusing`: the content is a draft of the whole message, which replaces what came " +
      "before. The first chunk of a choice without it has the message itself.",
  ),
  ...CHUNK_TOTALS,
}).describe("A piece of a message: its beginning, a finished block or a draft, or its end.");
