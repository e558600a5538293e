import { z } from "zod";
import { Count, TokenId } from "../responses/numbers.ts";
import { DetokenizeFields, TokenizeFields } from "../tokenize.ts";
import { EXAMPLE_MODEL } from "./examples.ts";
import type { Operation } from "./operation.ts";
import { OF_BODIES, OF_FIELDS, OF_MODELS } from "./refusals.ts";

const usedModel = z.string().describe("Id of the model.");

/** A request to `/tokenize`. */
export const TokenizeRequest = TokenizeFields.describe("A text to tokenise.");

/** The answer of `/tokenize`. */
export const Tokenization = z.object({
  model: usedModel,
  tokens: z.array(TokenId).describe("Token ids."),
  count: Count.describe("How many there are."),
  context_length: z.int().min(1)
    .describe("Most tokens of a prompt and its answer together."),
}).describe("The tokens of a text.");

/** A request to `/detokenize`. */
export const DetokenizeRequest = DetokenizeFields.describe("Token ids to turn into text.");

/** The answer of `/detokenize`. */
export const Detokenization = z.object({
  model: usedModel,
  text: z.string().describe("The text; special tokens have none."),
}).describe("The text of tokens.");

/** Text to tokens and back. */
export const TOKEN_OPERATIONS: readonly Operation[] = [
  {
    id: "tokenize",
    method: "post",
    path: "/tokenize",
    tag: "Tokens",
    summary: "Turns text into token ids.",
    body: "TokenizeRequest",
    answers: { 200: { description: "The token ids.", json: "Tokenization" } },
    refusals: [...OF_BODIES, ...OF_FIELDS, ...OF_MODELS],
    examples: {
      text: {
        summary: "The tokens of a sentence",
        body: { model: EXAMPLE_MODEL, text: "Once upon a time", add_special_tokens: true },
      },
    },
  },
  {
    id: "detokenize",
    method: "post",
    path: "/detokenize",
    tag: "Tokens",
    summary: "Turns token ids into text.",
    body: "DetokenizeRequest",
    answers: { 200: { description: "The text.", json: "Detokenization" } },
    refusals: [...OF_BODIES, ...OF_FIELDS, ...OF_MODELS, "token_out_of_range"],
    examples: {
      tokens: { summary: "The text of three tokens", body: { tokens: [79, 78, 67] } },
    },
  },
];
