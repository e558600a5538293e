import type { Context } from "hono";
import { z } from "zod";
import { readJson } from "./body.ts";
import type { AppEnv } from "./context.ts";
import { RequestError } from "./errors.ts";
import { checkMessages, Messages, promptOf, TemplateSwitches } from "./chat_messages.ts";
import { answerOpenAi } from "./openai_answer.ts";
import type { AnswerShape } from "./openai_chunks.ts";
import { chatLogprobs } from "./openai_facts.ts";
import { checkAnswerFields, choices, lengthOf, OPENAI_FIELDS } from "./openai_requests.ts";
import type { ServerParts } from "./parts.ts";
import { planGeneration } from "./plan.ts";
import { parseGeneration } from "./schema.ts";
import { alternativesOf, askedFacts, LOGPROB_FIELDS } from "./token_facts.ts";

/** Fields of a request to `/v1/chat/completions`, without the options of its strategy. */
export const ChatFields = z.strictObject({
  ...OPENAI_FIELDS,
  ...LOGPROB_FIELDS,
  messages: Messages,
  max_completion_tokens: OPENAI_FIELDS.max_tokens
    .describe("Another name of `max_tokens`; both may be given with the same value."),
  chat_template_kwargs: TemplateSwitches.optional().describe(
    "What to switch on or off in the model's chat template, by the names that it has, such as " +
      "`enable_thinking`.",
  ),
  diffusing: z.boolean().default(false).describe(
    "Whether drafts come first, each the whole message so far: only with `stream`, for clients " +
      "that replace what they have by chunks with `diffusion_meta`.",
  ),
});

const SHAPE: AnswerShape = {
  idPrefix: "chatcmpl-",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  whole: (content) => ({ message: { role: "assistant", content, refusal: null } }),
  part: (content) => ({ delta: { content } }),
  toLogprobs: chatLogprobs,
  opening: { delta: { role: "assistant", content: "" } },
  closing: { delta: {} },
};

/** POST: answers a chat, as OpenAI's endpoint of this name does. */
export function postChat(parts: ServerParts): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    const body = await readJson(c.req.raw, parts.settings);
    const request = parseGeneration(ChatFields, { ...body, ...checkMessages(body) });
    checkAnswerFields(request, { prompts: 1 });
    checkDrafts(request);
    const asked = askedFacts(request, alternativesOf(request));
    const length = lengthOf(request);
    const model = await parts.models.find(request.model);
    const prompt = promptOf(request.messages, model, { switches: request.chat_template_kwargs });
    const { randomBytes, settings: { maxOutputTokens } } = parts;
    const options = { maxOutputTokens, trace: request.diffusing, asked, randomBytes };
    const names = { prompt: "messages", maxTokens: length.name };
    const planned = planGeneration({ ...request, max_tokens: length.maxTokens, prompt }, model, {
      ...options,
      names,
    });
    const job = {
      model,
      sequences: choices(planned, request.n),
      prefixes: Array<string>(request.n).fill(""),
      promptTokens: planned.prompt.length,
      stop: request.stop,
      stream: request.stream,
      includeUsage: request.stream_options?.include_usage ?? false,
      hasDrafts: request.diffusing,
      asked,
    };
    return await answerOpenAi(c, parts, { job, shape: SHAPE });
  };
}

/** @throws {RequestError} If drafts are asked for and there is no stream that could have them. */
function checkDrafts({ diffusing, stream }: z.output<typeof ChatFields>): void {
  if (!diffusing || stream) return;
  const message = "diffusing can only be true with stream: true";
  throw new RequestError("incompatible_parameters", message, { param: "diffusing" });
}
