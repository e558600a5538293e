import { ScoreFields } from "../score.ts";
import type { Operation } from "./operation.ts";
import { OF_BODIES, OF_FIELDS, OF_MODELS } from "./refusals.ts";

/** A request to `/v1/score`. */
export const ScoreRequest = ScoreFields.describe("Texts to score.");

/** How likely texts are. */
export const SCORE_OPERATIONS: readonly Operation[] = [
  {
    id: "createScore",
    method: "post",
    path: "/v1/score",
    tag: "Likelihood",
    summary: "Bounds how likely the model finds texts: likelihood and perplexity.",
    description: "With `block_size` 1 the bound is the likelihood itself. Otherwise it is a mean " +
      "over noise, which `samples` draws.",
    body: "ScoreRequest",
    answers: { 200: { description: "The scores.", json: "Score" } },
    refusals: [
      ...OF_BODIES,
      ...OF_FIELDS,
      ...OF_MODELS,
      "token_out_of_range",
      "context_length_exceeded",
      "queue_full",
      "draining",
      "generation_timeout",
    ],
    examples: {
      text: { summary: "A text", body: { input: "Once upon a time", samples: 4, seed: 7 } },
      exact: {
        summary: "Two endings of one beginning, without noise",
        body: { context: "Once upon a", input: [" time", " cat"], block_size: 1 },
      },
      tokens: { summary: "Token ids", body: { input: [79, 78, 67] } },
      details: {
        summary: "What every token has in the bound",
        body: { input: "Once upon a time", samples: 16, details: true },
      },
    },
  },
];
