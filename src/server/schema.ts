import { z } from "zod";
import { STRATEGIES, StrategyOptions } from "../diffusion/remasking/mod.ts";
import type { ModelInfo } from "../engine/request.ts";
import { cut, RequestError, show } from "./errors.ts";
import { FACT_FIELDS, LOGPROB_FIELDS } from "./token_facts.ts";
import { validate } from "./validate.ts";
import { isNeutral, isUnsupported } from "./openai_fields.ts";

const LONGEST_STOP = 256;

// Counts characters, where zod's own `max` counts UTF-16 code units.
const Stop = z.string().min(1).refine((text) => [...text].length <= LONGEST_STOP)
  .meta({ maxLength: LONGEST_STOP });

/** Several stop strings. */
export const Stops = z.array(Stop).max(4);

/** What a request gets that leaves a field out, where the model has no default of its own. */
export const CONTRACT_DEFAULTS = {
  temperature: 1,
  top_p: 1,
  top_k: 0,
  strategy: STRATEGIES[0]!,
} as const;

/** What the description of a field says whose default may be the model's. */
export const MODEL_FIRST = "A default that the model has in its `defaults` comes first.";

const Strategy = z.enum(STRATEGIES).optional();

/**
 * Fields of every generating endpoint that say what to generate. Limits that depend on the model are
 * checked later, in `planGeneration()`; options of the strategies are in the strategies' own schemas.
 */
export const GENERATION_FIELDS = {
  model: z.string().optional()
    .describe("Id of a served model; the default model where it is absent."),
  max_tokens: z.int().optional()
    .describe(
      "Most tokens to generate: up to the context length, or with `slide` up to the server's limit. " +
        "By default 16 for completions and 256 for chats and blocks, or what still fits.",
    ),
  overflow: z.enum(["error", "slide"]).default("error")
    .describe(
      "What to do past the context length: refuse the request, or go on, seeing the last whole " +
        "blocks that fit.",
    ),
  ignore_eos: z.boolean().default(false)
    .describe("Whether to go on after the end token."),
  min_entropy: z.number().min(0).max(20).default(0)
    .describe(
      "Ends after the block with which the entropy of the last 256 generated tokens falls below " +
        "this, in nats; 0 is off.",
    ),
  temperature: byModel(
    z.number().min(0).max(2).optional(),
    "temperature",
    "What logits are divided by; 0 takes the most probable token at each position.",
  ),
  top_p: byModel(
    z.number().gt(0).max(1).optional(),
    "top_p",
    "Share of the probability to draw from at each position.",
  ),
  top_k: byModel(
    z.int().optional(),
    "top_k",
    "Most probable tokens to draw from, up to the vocabulary size; 0 is off.",
  ),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional()
    .describe(
      "The same request with the same seed gives the same tokens; by default a fresh one, which " +
        "the answer has.",
    ),
  stop: z.union([Stop, Stops]).default([])
    .transform((stop) => typeof stop === "string" ? [stop] : stop)
    .describe("Ends the text before the first of these strings."),
  block_size: z.int().optional()
    .describe("Tokens denoised together: one of the model's `block_sizes`, by default its own."),
  sub_block_size: z.int().optional()
    .describe(
      "Tokens of a block that are denoised before those after them: a divisor of `block_size`. By " +
        "default 8 for models that take each block's first token from the commit of the one before, " +
        "if that is one, else `block_size`. Steps count for each sub-block then.",
    ),
  strategy: byModel(
    Strategy,
    "strategy",
    "Remasking strategy: which masks a denoising step turns into tokens.",
  ),
};

/**
 * A field whose default is not filled in here, since the model's own comes before the contract's,
 * which the document shows.
 */
function byModel<S extends z.ZodType>(
  field: S,
  name: keyof typeof CONTRACT_DEFAULTS,
  description: string,
): S {
  return field.meta({
    default: CONTRACT_DEFAULTS[name],
    description: `${description} ${MODEL_FIRST}`,
  });
}

const GenerationFields = z.strictObject(GENERATION_FIELDS);

/** The shared fields of a request, without defaults that depend on the model. */
export type GenerationFields = z.output<typeof GenerationFields>;

/** Fields of a request to `/v1/blocks`, without the options of its strategy. */
export const BlocksFields = z.strictObject({
  ...GENERATION_FIELDS,
  ...FACT_FIELDS,
  ...LOGPROB_FIELDS,
  prompt: z.union([z.string(), z.array(z.int())]).default("")
    .describe("Text or token ids to go on from; an empty one is allowed."),
  stream: z.boolean().default(true)
    .describe("Whether events are sent as they happen, or one object at the end."),
  trace: z.boolean().default(false)
    .describe("Whether a stream has `step` events."),
  resume_ms: z.int().min(0).max(60_000).default(10_000)
    .describe(
      "For how long a client that lost its connection may come back, in milliseconds; with 0 a " +
        "disconnect cancels at once.",
    ),
});

/** A request to `/v1/blocks`, without defaults that depend on the model. */
export type BlocksRequest = z.output<typeof BlocksFields> & WithOptions;

/** What every parsed request has beside its fields. */
interface WithOptions {
  /** Options of the strategy, each in its range. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Names of the options of all strategies. */
export const OPTION_NAMES: readonly string[] = [
  ...new Set(
    StrategyOptions.options.flatMap((each) => Object.keys(each.shape))
      .filter((name) => name !== "strategy"),
  ),
];

/**
 * Reads the fields of a generating request: `schema` is that of its endpoint. `null` is absent.
 *
 * @throws {RequestError} For the first field that is unknown, unsupported or wrong.
 */
export function parseGeneration<S extends z.ZodObject<{ strategy: typeof Strategy }>>(
  schema: S,
  body: Readonly<Record<string, unknown>>,
): z.output<S> & WithOptions {
  const known = [...Object.keys(schema.shape), ...OPTION_NAMES];
  checkNames(body, known);
  const given = Object.entries(body).filter(([name, value]) =>
    value !== null && known.includes(name)
  );
  const isOption = ([name]: [string, unknown]) => OPTION_NAMES.includes(name);
  const fields = validate(schema, Object.fromEntries(given.filter((each) => !isOption(each))));
  const options = Object.fromEntries(given.filter(isOption));
  checkOptions(fields.strategy as string | undefined, options);
  return { ...fields, options };
}

/**
 * Reads the fields of a request that generates nothing, and that OpenAI knows nothing of. `null` is
 * absent.
 *
 * @throws {RequestError} For the first field that is unknown, missing or wrong.
 */
export function parseFields<S extends z.ZodObject>(
  schema: S,
  body: Readonly<Record<string, unknown>>,
): z.output<S> {
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined) throw unknownParameter(unknown);
  const given = Object.entries(body).filter(([, value]) => value !== null);
  return validate(schema, Object.fromEntries(given));
}

function unknownParameter(name: string): RequestError {
  const message = `Unknown parameter ${show(name)}`;
  return new RequestError("unknown_parameter", message, { param: cut(name) });
}

function checkNames(body: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  for (const [name, value] of Object.entries(body)) {
    if (known.includes(name)) continue;
    if (!isUnsupported(name)) throw unknownParameter(name);
    if (value === null || isNeutral(name, value)) continue;
    const param = cut(name);
    const message = `${param} is not supported, got ${show(value)}`;
    throw new RequestError("unsupported_parameter", message, { param });
  }
}

/** Which strategy it is may only be known with the model; an option means the same in all. */
function checkOptions(strategy: string | undefined, given: Record<string, unknown>): void {
  if (strategy !== undefined) return void strategyOptions(strategy, given);
  for (const [name, value] of Object.entries(given)) {
    const { shape } = StrategyOptions.options.find(({ shape }) => name in shape)!; // Of OPTION_NAMES.
    strategyOptions(shape.strategy.value, { [name]: value });
  }
}

/**
 * A strategy with its options: those given, else `defaults` that it takes, else the contract's.
 *
 * @throws {RequestError} If an option is given that it does not take, or that is out of range.
 */
export function strategyOptions(
  strategy: string,
  given: Readonly<Record<string, unknown>>,
  defaults: ModelInfo["defaults"] = {},
): StrategyOptions {
  const schema = StrategyOptions.options.find(({ shape }) => shape.strategy.value === strategy)!;
  const isOwn = (name: string) => name in schema.shape;
  const foreign = Object.keys(given).find((name) => !isOwn(name));
  if (foreign !== undefined) {
    const message = `${foreign} cannot be given with the strategy ${show(strategy)}`;
    throw new RequestError("incompatible_parameters", message, { param: foreign });
  }
  const own = Object.entries(defaults).filter(([name]) => isOwn(name));
  return validate(schema, { ...Object.fromEntries(own), ...given, strategy });
}
