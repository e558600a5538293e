import type { ErrorCode } from "../errors.ts";
import { EXAMPLE_MODEL } from "./examples.ts";
import type { Operation } from "./operation.ts";
import { OF_BODIES, OF_GENERATIONS } from "./refusals.ts";

const model = EXAMPLE_MODEL;
const messages = [{ role: "user", content: "Tell me a story about a cat." }];

const REFUSALS: readonly ErrorCode[] = [
  ...OF_BODIES,
  ...OF_GENERATIONS,
  "missing_required_parameter",
];

const STREAMS =
  "With `stream` each event is one chunk, and the data of the last one is `[DONE]`, " +
  "which is no JSON. A stream that fails ends with an error instead.";

/** What OpenAI's clients call. */
export const OPENAI_OPERATIONS: readonly Operation[] = [
  {
    id: "createCompletion",
    method: "post",
    path: "/v1/completions",
    tag: "OpenAI",
    summary: "Completes one or several prompts.",
    description: STREAMS,
    body: "CompletionRequest",
    answers: {
      200: {
        description: "The completions.",
        json: "Completion",
        events: { message: ["CompletionChunk", "Error"] },
      },
    },
    refusals: [...REFUSALS, "token_out_of_range"],
    examples: {
      text: {
        summary: "A text",
        body: { model, prompt: "Once upon a time", max_tokens: 32, temperature: 0.7, seed: 7 },
      },
      stream: {
        summary: "A stream that ends with its usage",
        body: {
          model,
          prompt: "Once upon a time",
          max_tokens: 32,
          stop: ["The end", "\n\n"],
          stream: true,
          stream_options: { include_usage: true },
        },
      },
      several: {
        summary: "Two choices for each of two prompts, which the choices begin with",
        body: { model, prompt: ["One day", "A boy"], n: 2, echo: true, max_tokens: 8 },
      },
      told: {
        summary: "How probable each token was when it was revealed, and in which step that was",
        body: { model, prompt: "One day", max_tokens: 8, logprobs: 2, step_map: true },
      },
      tokens: {
        summary: "Token ids, with a remasking strategy that may fill many positions in a step",
        body: {
          model,
          prompt: [79, 78, 67],
          max_tokens: 16,
          block_size: 8,
          strategy: "low_confidence_dynamic",
          threshold: 0.8,
        },
      },
    },
  },
  {
    id: "createChatCompletion",
    method: "post",
    path: "/v1/chat/completions",
    tag: "OpenAI",
    summary: "Answers a chat, where the model has a chat template.",
    description: STREAMS,
    body: "ChatCompletionRequest",
    answers: {
      200: {
        description: "The answer.",
        json: "ChatCompletion",
        events: { message: ["ChatCompletionChunk", "Error"] },
      },
    },
    refusals: [...REFUSALS, "chat_not_supported"],
    examples: {
      question: { summary: "A question", body: { model, messages, max_completion_tokens: 32 } },
      stream: { summary: "A stream", body: { model, messages, max_tokens: 32, stream: true } },
      drafts: {
        summary: "A stream with drafts of the message before it",
        body: { model, messages, max_tokens: 32, stream: true, diffusing: true },
      },
      told: {
        summary: "How probable each token was when it was revealed",
        body: { model, messages, max_tokens: 8, logprobs: true, top_logprobs: 5, entropy: true },
      },
      history: {
        summary: "A longer chat, with a message in parts",
        body: {
          model,
          messages: [
            { role: "system", content: "You tell stories." },
            ...messages,
            { role: "assistant", content: "A cat sat.", refusal: null },
            { role: "user", content: [{ type: "text", text: "Go on." }], name: "Ann" },
          ],
          max_tokens: 32,
          response_format: { type: "text" },
        },
      },
    },
  },
];
