import { Block, BlocksAnswer, BlocksDone, BlocksStart, BlocksStep } from "../responses/blocks.ts";
import { Document } from "../responses/document.ts";
import { ErrorAnswer } from "../responses/errors.ts";
import { Health, NotReady, Ready } from "../responses/health.ts";
import { Model, ModelList } from "../responses/models.ts";
import {
  ChatCompletion,
  ChatCompletionChunk,
  Completion,
  CompletionChunk,
} from "../responses/openai.ts";
import { Score } from "../responses/score.ts";
import { Diffusion, Usage } from "../responses/summaries.ts";
import {
  BlocksRequest,
  ChatCompletionRequest,
  ChatMessage,
  CompletionRequest,
} from "./requests.ts";
import { ScoreRequest } from "./score.ts";
import { Detokenization, DetokenizeRequest, Tokenization, TokenizeRequest } from "./tokens.ts";

/** Everything that a body or the data of an event may be, by its name in the document. */
export const SCHEMAS = {
  CompletionRequest,
  Completion,
  CompletionChunk,
  ChatCompletionRequest,
  ChatMessage,
  ChatCompletion,
  ChatCompletionChunk,
  BlocksRequest,
  BlocksAnswer,
  BlocksStart,
  BlocksStep,
  Block,
  BlocksDone,
  ScoreRequest,
  Score,
  Model,
  ModelList,
  TokenizeRequest,
  Tokenization,
  DetokenizeRequest,
  Detokenization,
  Health,
  Ready,
  NotReady,
  Usage,
  Diffusion,
  Document,
  Error: ErrorAnswer,
};

/** Name of a schema of the document. */
export type SchemaName = keyof typeof SCHEMAS;
