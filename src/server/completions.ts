import type { Context } from "hono";
import { z } from "zod";
import { readJson } from "./body.ts";
import type { AppEnv } from "./context.ts";
import { answerOpenAi } from "./openai_answer.ts";
import type { AnswerShape } from "./openai_chunks.ts";
import { completionLogprobs } from "./openai_facts.ts";
import { checkAnswerFields, choices, OPENAI_FIELDS } from "./openai_requests.ts";
import type { ServerParts } from "./parts.ts";
import { planGeneration, randomSeed } from "./plan.ts";
import { parseGeneration } from "./schema.ts";
import { askedFacts, LOGPROB_MEANING, MOST_ALTERNATIVES } from "./token_facts.ts";

const DEFAULT_MAX_TOKENS = 16;
const MOST_PROMPTS = 16;

const Tokens = z.array(z.int()).min(1);

/** Fields of a request to `/v1/completions`, without the options of its strategy. */
export const CompletionFields = z.strictObject({
  ...OPENAI_FIELDS,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1).max(MOST_PROMPTS),
    Tokens,
    z.array(Tokens).min(1).max(MOST_PROMPTS),
  ]).describe("One or several prompts: texts, or lists of token ids."),
  echo: z.boolean().default(false).describe("Whether the text of a choice begins with its prompt."),
  logprobs: z.union([
    z.int().min(0).max(MOST_ALTERNATIVES),
    z.boolean().refine((asked) => !asked).meta({ const: false }),
  ]).default(false).describe(
    "Most probable tokens to tell at each position beside the log-probability of the one that was " +
      `generated; false for none of it. ${LOGPROB_MEANING}`,
  ),
});

type Prompt = string | number[];

const SHAPE: AnswerShape = {
  idPrefix: "cmpl-",
  object: "text_completion",
  chunkObject: "text_completion",
  whole: (text) => ({ text }),
  part: (text) => ({ text }),
  toLogprobs: completionLogprobs,
  opening: null,
  closing: { text: "" },
};

/** POST: completes one or several prompts, as OpenAI's endpoint of this name does. */
export function postCompletions(
  parts: ServerParts,
): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    const request = parseGeneration(CompletionFields, await readJson(c.req.raw, parts.settings));
    const { prompt: given, n, echo, stop, stream, stream_options: streamOptions } = request;
    const prompts = promptsOf(given);
    checkAnswerFields(request, { prompts: prompts.length });
    const asked = askedFacts(request, countOf(request.logprobs));
    const model = await parts.models.find(request.model);
    const { randomBytes, settings: { maxOutputTokens } } = parts;
    const seed = request.seed ?? randomSeed(randomBytes);
    const planned = prompts.map((prompt, i) =>
      planGeneration({ ...request, seed, prompt }, model, {
        maxOutputTokens,
        trace: false,
        asked,
        randomBytes,
        defaultMaxTokens: DEFAULT_MAX_TOKENS,
        names: { prompt: isSeveral(given) ? `prompt[${i}]` : "prompt" },
      })
    );
    const echoed = (prompt: Prompt) =>
      typeof prompt === "string" ? prompt : model.tokenizer.decode(prompt);
    const job = {
      model,
      sequences: planned.flatMap((sequence) => choices(sequence, n)),
      prefixes: prompts.flatMap((prompt) => Array<string>(n).fill(echo ? echoed(prompt) : "")),
      promptTokens: planned.reduce((sum, { prompt }) => sum + prompt.length, 0),
      stop,
      stream,
      includeUsage: streamOptions?.include_usage ?? false,
      hasDrafts: false,
      asked,
    };
    return await answerOpenAi(c, parts, { job, shape: SHAPE });
  };
}

/** Alternatives that are asked for; `null` where no probabilities are. */
function countOf(logprobs: number | boolean): number | null {
  return typeof logprobs === "number" ? logprobs : null;
}

function promptsOf(given: z.output<typeof CompletionFields>["prompt"]): Prompt[] {
  return isSeveral(given) ? given : [given];
}

function isSeveral(given: string | number[] | Prompt[]): given is Prompt[] {
  return Array.isArray(given) && typeof given[0] !== "number";
}
