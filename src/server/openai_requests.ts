import { z } from "zod";
import type { SequenceRequest } from "../engine/request.ts";
import { RequestError } from "./errors.ts";
import { GENERATION_FIELDS } from "./schema.ts";
import { FACT_FIELDS } from "./token_facts.ts";

/** Prompts times choices of one request. */
const MOST_CHOICES = 32;

const IGNORED = "Accepted, and of no effect.";

/** Fields that both of OpenAI's endpoints have. */
export const OPENAI_FIELDS = {
  ...GENERATION_FIELDS,
  ...FACT_FIELDS,
  model: z.string().describe("Id of a served model."),
  n: z.int().min(1).max(8).default(1)
    .describe(`Choices for each prompt; at most ${MOST_CHOICES} for all prompts together.`),
  stream: z.boolean().default(false)
    .describe("Whether chunks are sent as they are made, or one object at the end."),
  stream_options: z.strictObject({
    include_usage: z.boolean().nullish()
      .describe("Whether a last chunk with the usage follows, and `usage` is null in the others."),
  }).optional().describe("Only with `stream`."),
  user: z.string().optional().describe(IGNORED),
  metadata: z.record(z.string(), z.string()).optional().describe(IGNORED),
  store: z.boolean().optional().describe(IGNORED),
};

/** The fields of a request of OpenAI's that say how its answer comes. */
export interface AnswerFields {
  readonly n: number;
  readonly stream: boolean;
  readonly stream_options?: { readonly include_usage?: boolean | null | undefined } | undefined;
}

/**
 * Checks what fields of a request have to do with each other.
 *
 * @throws {RequestError} If they exclude each other, or ask for too many choices.
 */
export function checkAnswerFields(
  { n, stream, stream_options: options }: AnswerFields,
  { prompts }: { readonly prompts: number },
): void {
  if (options !== undefined && !stream) {
    const message = "stream_options can only be given with stream: true";
    throw new RequestError("incompatible_parameters", message, { param: "stream_options" });
  }
  if (prompts * n > MOST_CHOICES) {
    const message = `n must make at most ${MOST_CHOICES} choices with ${prompts} prompts, got ${n}`;
    throw new RequestError("invalid_value", message, { param: "n" });
  }
}

/** One sequence for each of `n` choices: alike but for what they draw. */
export function choices(sequence: SequenceRequest, n: number): SequenceRequest[] {
  return Array.from({ length: n }, (_, choice) => ({ ...sequence, choice }));
}

/**
 * The length of an answer, which has two names.
 *
 * @throws {RequestError} If they are given different values.
 */
export function lengthOf(
  { max_tokens: old, max_completion_tokens: current }: {
    readonly max_tokens?: number | undefined;
    readonly max_completion_tokens?: number | undefined;
  },
): { readonly maxTokens: number | undefined; readonly name: string } {
  if (current === undefined) return { maxTokens: old, name: "max_tokens" };
  if (old === undefined || old === current) {
    return { maxTokens: current, name: "max_completion_tokens" };
  }
  const message =
    `max_tokens and max_completion_tokens must be the same, got ${old} and ${current}`;
  throw new RequestError("incompatible_parameters", message, { param: "max_completion_tokens" });
}
