import { z } from "zod";
import { STRATEGIES, StrategyOptions } from "../diffusion/remasking/mod.ts";
import { cut, RequestError, show } from "./errors.ts";
import { validate } from "./validate.ts";
import { isNeutral, isUnsupported } from "./openai_fields.ts";

const LONGEST_STOP = 256;

// Counts characters, where zod's own `max` counts UTF-16 code units.
const Stop = z.string().min(1).refine((text) => [...text].length <= LONGEST_STOP)
  .meta({ maxLength: LONGEST_STOP });

const Strategy = z.enum(STRATEGIES).default(STRATEGIES[0]!);

/**
 * Fields of every generating endpoint. Limits that depend on the model are checked later, in
 * `planGeneration()`; options of the strategies are in the strategies' own schemas.
 */
export const GENERATION_FIELDS = {
  model: z.string().optional(),
  max_tokens: z.int().optional(),
  overflow: z.enum(["error", "slide"]).default("error"),
  ignore_eos: z.boolean().default(false),
  min_entropy: z.number().min(0).max(20).default(0),
  temperature: z.number().min(0).max(2).default(1),
  top_p: z.number().gt(0).max(1).default(1),
  top_k: z.int().default(0),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  stop: z.union([Stop, z.array(Stop).max(4)]).default([])
    .transform((stop) => typeof stop === "string" ? [stop] : stop),
  block_size: z.int().optional(),
  strategy: Strategy,
};

const GenerationFields = z.strictObject(GENERATION_FIELDS);

/** The shared fields of a request, defaults filled in. */
export type GenerationFields = z.output<typeof GenerationFields>;

/** Fields of a request to `/v1/blocks`, without the options of its strategy. */
export const BlocksFields = z.strictObject({
  ...GENERATION_FIELDS,
  prompt: z.union([z.string(), z.array(z.int())]).default(""),
  stream: z.boolean().default(true),
  trace: z.boolean().default(false),
  resume_ms: z.int().min(0).max(60_000).default(10_000),
});

/** A request to `/v1/blocks`, defaults filled in. */
export type BlocksRequest = z.output<typeof BlocksFields> & WithOptions;

/** What every parsed request has beside its fields. */
interface WithOptions {
  /** The strategy with its own options, defaults filled in. */
  readonly options: StrategyOptions;
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
  checkNames(body, [...Object.keys(schema.shape), ...OPTION_NAMES]);
  const given = Object.entries(body).filter(([name, value]) =>
    value !== null && !isUnsupported(name)
  );
  const isOption = ([name]: [string, unknown]) => OPTION_NAMES.includes(name);
  const fields = validate(schema, Object.fromEntries(given.filter((each) => !isOption(each))));
  const options = Object.fromEntries(given.filter(isOption));
  return { ...fields, options: parseOptions(fields.strategy as string, options) };
}

function checkNames(body: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  for (const [name, value] of Object.entries(body)) {
    if (known.includes(name)) continue;
    const param = cut(name);
    if (!isUnsupported(name)) {
      throw new RequestError("unknown_parameter", `Unknown parameter ${show(name)}`, { param });
    }
    if (value === null || isNeutral(name, value)) continue;
    const message = `${param} is not supported, got ${show(value)}`;
    throw new RequestError("unsupported_parameter", message, { param });
  }
}

function parseOptions(strategy: string, given: Record<string, unknown>): StrategyOptions {
  const schema = StrategyOptions.options.find(({ shape }) => shape.strategy.value === strategy)!;
  const foreign = Object.keys(given).find((name) => !(name in schema.shape));
  if (foreign !== undefined) {
    const message = `${foreign} cannot be given with the strategy ${show(strategy)}`;
    throw new RequestError("incompatible_parameters", message, { param: foreign });
  }
  return validate(schema, { strategy, ...given });
}
