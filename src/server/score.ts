import type { Context } from "hono";
import { z } from "zod";
import type { ModelInfo } from "../engine/request.ts";
import type { ScoredText, ScoreRequest, Scoring, TextScore } from "../engine/score.ts";
import { readJson } from "./body.ts";
import type { AppEnv } from "./context.ts";
import { CLIENT_LEFT, invalidValue, jsonResponse, RequestError } from "./errors.ts";
import { checkStatus, type LoadedModel } from "./loaded_models.ts";
import type { ServerParts } from "./parts.ts";
import { randomSeed } from "./plan.ts";
import { limitTime } from "./run.ts";
import type { RandomBytes } from "./request_id.ts";
import { GENERATION_FIELDS, parseFields } from "./schema.ts";
import { checkTokens, withBos } from "./token_ids.ts";

const MOST_INPUTS = 16;
const MOST_SAMPLES = 64;

const Tokens = z.array(z.int());

/** Fields of a request to `/v1/score`. */
export const ScoreFields = z.strictObject({
  model: GENERATION_FIELDS.model,
  input: z.union([
    z.string(),
    Tokens.min(1),
    z.array(z.union([z.string(), Tokens])).min(1).max(MOST_INPUTS),
  ]).describe("One or several texts to score, or lists of token ids."),
  context: z.union([z.string(), Tokens]).optional()
    .describe("Text or token ids before each of them, which are given and not scored."),
  samples: z.int().min(1).max(MOST_SAMPLES).default(1)
    .describe("Monte Carlo draws of the noise level of every block."),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional()
    .describe("Equal seeds give equal numbers; by default a fresh one, which the answer has."),
  block_size: GENERATION_FIELDS.block_size,
  details: z.boolean().default(false)
    .describe("Whether the answer says of every token what it has in the bound."),
});

type Fields = z.output<typeof ScoreFields>;
type Input = string | readonly number[];

/** POST: bounds how likely the model finds texts. */
export function postScore(parts: ServerParts): (c: Context<AppEnv>) => Promise<Response> {
  const { models, settings, metrics, randomBytes } = parts;
  return async (c) => {
    const fields = parseFields(ScoreFields, await readJson(c.req.raw, settings));
    const loaded = await models.find(fields.model);
    const { engine } = loaded;
    const request = planScore(fields, loaded, { randomBytes });
    checkStatus(engine.status);
    const scoring = engine.score(request);
    const promptTokens = request.texts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    metrics.scored(engine.model.id, promptTokens);
    const scores = await finish(scoring, { signal: c.req.raw.signal, ...settings });
    if (scores === null) return new Response(null, { status: CLIENT_LEFT });
    return jsonResponse({
      object: "score",
      model: engine.model.id,
      seed: request.seed,
      data: scores.map((score, index) => ({
        ...scoreData(score, index),
        ...detailsOf(score, request.texts[index]!, loaded), // As many scores as texts.
      })),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    });
  };
}

/**
 * Turns a request's fields into what its model's engine is asked to score.
 *
 * @throws {RequestError} If the model cannot do it.
 */
export function planScore(
  fields: Fields,
  loaded: LoadedModel,
  { randomBytes }: { readonly randomBytes: RandomBytes },
): ScoreRequest {
  const { model } = loaded.engine;
  if (!model.scores) {
    throw invalidValue("model", "one whose capabilities have score", model.id);
  }
  const seed = fields.seed ?? randomSeed(randomBytes);
  const blockSize = blockSizeOf(fields, model);
  const { samples, details: byToken } = fields;
  return { texts: textsOf(fields, loaded), blockSize, samples, seed, byToken };
}

function blockSizeOf({ block_size: asked }: Fields, model: ModelInfo): number {
  const size = asked ?? model.defaultBlockSize;
  if (model.blockSizes.includes(size)) return size;
  throw invalidValue("block_size", `one of ${model.blockSizes.join(", ")}`, size);
}

/** What the model is fed: for each input the beginning that it needs, the context, the input. */
function textsOf({ input, context = "" }: Fields, loaded: LoadedModel): ScoredText[] {
  const { engine: { model }, tokenizer } = loaded;
  const encode = (given: Input, name: string) =>
    typeof given === "string" ? tokenizer.encode(given) : checkTokens(given, { model, name });
  const before = encode(context, "context");
  return inputsOf(input).map(([each, name]) => {
    const own = encode(each, name);
    const tokens = withBos([...before, ...own], model.bosToken);
    // The BOS itself is always given, also where the input brings it.
    const given = Math.max(tokens.length - own.length, model.bosToken === null ? 0 : 1);
    if (given >= tokens.length) throw nothingToScore(name, each);
    if (tokens.length > model.contextLength) throw tooLong(model.contextLength, tokens.length);
    return { tokens, given };
  });
}

/** The inputs of a request, with the paths of their fields. */
function inputsOf(input: Fields["input"]): [Input, string][] {
  if (typeof input === "string" || isTokens(input)) return [[input, "input"]];
  return input.map((each, i) => [each, `input[${i}]`]);
}

function isTokens(input: Exclude<Fields["input"], string>): input is number[] {
  return typeof input[0] === "number";
}

function nothingToScore(name: string, given: Input): RequestError {
  return invalidValue(name, "text or tokens with a token to score", given);
}

function tooLong(contextLength: number, promptTokens: number): RequestError {
  const message = `This model's context length is ${contextLength} tokens, but ${promptTokens} ` +
    "prompt tokens were requested";
  return new RequestError("context_length_exceeded", message);
}

/**
 * Waits for the scores, for `requestTimeoutMs` at most.
 *
 * @returns `null` if the client left, which `signal` tells.
 * @throws {RequestError} `generation_timeout`.
 * @throws {SequenceError} What the engine failed with.
 */
async function finish(
  scoring: Scoring,
  { signal, requestTimeoutMs }: {
    readonly signal: AbortSignal;
    readonly requestTimeoutMs: number;
  },
): Promise<readonly TextScore[] | null> {
  const timeout = Promise.withResolvers<never>();
  timeout.promise.catch(() => {}); // Nobody may be waiting any more.
  let failure: RequestError | null = null;
  const fail = (error: RequestError) => {
    failure ??= error;
    scoring.cancel();
  };
  const stopClock = limitTime([{ fail }], { requestTimeoutMs, giveUp: timeout.reject });
  // The signal also fires after a response was sent; cancelling what has ended does nothing.
  signal.addEventListener("abort", () => scoring.cancel(), { once: true });
  if (signal.aborted) scoring.cancel();
  try {
    const scores = await Promise.race([scoring.scores, timeout.promise]);
    if (failure !== null) throw failure;
    // Also: a signal that nobody holds is forgotten, and never fires.
    return signal.aborted ? null : scores;
  } finally {
    stopClock();
  }
}

/** A score as the answer has it. */
export function scoreData({ tokens, nelbo, error, isExact }: TextScore, index: number) {
  const perToken = nelbo / tokens;
  return {
    index,
    tokens,
    nelbo,
    nelbo_per_token: perToken,
    stderr: error,
    // JSON knows no infinity.
    perplexity: Math.min(Math.exp(perToken), Number.MAX_VALUE),
    exact: isExact,
  };
}

/** What is told of every scored token, where that was asked for. */
function detailsOf(
  { byToken }: TextScore,
  { tokens, given }: ScoredText,
  { tokenizer }: LoadedModel,
) {
  if (byToken === undefined) return {};
  const ids = tokens.slice(given);
  return { token_ids: ids, token_nelbo: byToken, pieces: ids.map((id) => tokenizer.piece(id)) };
}
