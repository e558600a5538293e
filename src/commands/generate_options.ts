import { STRATEGIES, StrategyOptions } from "../diffusion/remasking/mod.ts";
import { RequestError } from "../server/errors.ts";
import { BlocksFields, OPTION_NAMES, parseGeneration } from "../server/schema.ts";
import type { GenerationRequest } from "../server/plan.ts";
import { WEIGHT_FORMATS, type WeightFormat } from "../weights/formats.ts";
import {
  argumentsOf,
  describeSettings,
  flagOf,
  type Kind,
  oneOf,
  optional,
  readSettings,
  repeatable,
  setting,
  type Settings,
  text,
  toggle,
  UsageError,
  type Values,
} from "./flags.ts";

/** What the command line of a command that generates once asks for. */
export interface GenerationOptions {
  /** Checked as far as that goes without the model. */
  readonly request: GenerationRequest;
  /** Where its prompt is from: an argument, stdin because of `-`, or nowhere. */
  readonly promptSource: "argument" | "stdin" | "default";
  /** As given: a directory, or `id=directory`; `null` leaves the choice to the environment. */
  readonly model: string | null;
  /** Storage on the device; `null` leaves the choice to the environment, then to the file. */
  readonly weights: WeightFormat | null;
}

/** What the command line of `generate` asks for. */
export interface GenerateOptions extends GenerationOptions {
  /** Whether to show the masks of the current block turning into words. */
  readonly trace: boolean;
  /** Whether to print one JSON object in place of the text. */
  readonly json: boolean;
  /** Requests to compare; `null` where there is one only. */
  readonly comparison: Comparison | null;
}

/** Requests that differ in one option. */
export interface Comparison {
  /** Of the option, as requests call it. */
  readonly name: string;
  /** Two or more; the prompts count nothing. */
  readonly variants: readonly { readonly value: string; readonly request: GenerationRequest }[];
}

const number: Kind<number> = {
  placeholder: "X",
  expected: "a number",
  parse(text) {
    const isDecimal = /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
    return isDecimal && Number.isFinite(Number(text)) ? Number(text) : undefined;
  },
};
const count: Kind<number> = { ...number, placeholder: "N" };
const name: Kind<string> = { ...text, placeholder: "NAME" };

/** The fields of a request; their limits are those of the API. */
const FIELDS: Settings = {
  maxTokens: optional(count, "tokens to generate at most; else 256 or what still fits"),
  temperature: optional(
    number,
    "0 takes the most probable token at each position; else the model's",
  ),
  topP: optional(number, "share of the probability to draw from, 1 is all; else the model's"),
  topK: optional(count, "most probable tokens to draw from, 0 is all; else the model's"),
  seed: optional(count, "the same seed gives the same text; else a fresh one"),
  blockSize: optional(count, "tokens denoised together; else the model's own"),
  subBlockSize: optional(count, "tokens of a block denoised before the rest; else the model's own"),
  strategy: optional(name, "rule by which masks become tokens; else the model's"),
  ...Object.fromEntries(
    OPTION_NAMES.map((each) => [camelCase(each), optional(number, strategiesWith(each))]),
  ),
  stop: repeatable({ ...text, placeholder: "TEXT" }, "end before this text"),
  ignoreEos: optional(toggle, "go on after the end token"),
  minEntropy: optional(number, "end when the text repeats itself: nats; else 0, which is off"),
  overflow: optional(name, "slide: go on past the context length"),
};

const MODEL = {
  model: optional({ ...text, placeholder: "DIR" }, "checkpoint; else the one that ships"),
  weights: optional(
    oneOf(...WEIGHT_FORMATS),
    "storage on the device; else as precise as the file",
  ),
};

interface Alternatives {
  /** Of a field, in camel case. */
  readonly name: string;
  readonly values: readonly string[];
}

const alternatives: Kind<Alternatives> = {
  placeholder: "NAME=A,B",
  expected: `an option and values, such as "strategy=${STRATEGIES.slice(0, 2).join()}"; options: ` +
    Object.keys(FIELDS).map(snakeCase).join(", "),
  parse(text) {
    const [, given = "", list = ""] = /^([^=]+)=([^]*)$/.exec(text) ?? [];
    const name = camelCase(given.replaceAll("-", "_"));
    const values = list.split(",");
    const isList = values.length > 1 && values.every((each) => each !== "");
    return isList && Object.hasOwn(FIELDS, name) ? { name, values } : undefined;
  },
};

const COMPARE = {
  compare: optional(alternatives, "generate with each value of one option, on the same seed"),
};

/** The flag of commands that print text as it comes. */
export const TRACE = {
  trace: setting(toggle, false, "show the masks of each block turn into words, on a terminal"),
};

const OWN = {
  ...TRACE,
  ...COMPARE,
  json: setting(toggle, false, "print one JSON object"),
};

/** The text for `--help`. */
export const GENERATE_HELP = `Prints what the model makes of a prompt.

Usage: deno task generate [PROMPT] [FLAGS]
       deno task generate [FLAGS] -- PROMPT   where the prompt starts with a dash
       echo PROMPT | deno task generate [-] [FLAGS]

${describeGeneration(OWN)}`;

/** The flags of a command that generates once, with those that only it has, for `--help`. */
export function describeGeneration(own: Settings): string {
  return `${describeSettings({ ...FIELDS, ...MODEL, ...own })}

Strategies: ${STRATEGIES.slice(0, 3).join(", ")},
  ${STRATEGIES.slice(3).join(", ")}
`;
}

/**
 * Reads the command line of `generate`.
 *
 * @throws {UsageError} If a flag is unknown or a value does not fit.
 */
export function parseGenerateOptions(args: readonly string[]): GenerateOptions {
  const { compare } = readSettings(COMPARE, argumentsOf("--compare", args), {}).values;
  if (compare === null) return { ...readGeneration(args, OWN), comparison: null };
  // As if each value were given as a flag of its own.
  const all = compare.values.map((value) => ({
    value,
    ...readGeneration([`${flagOf(compare.name)}=${value}`, ...args], OWN),
  }));
  return { ...all[0]!, comparison: { name: snakeCase(compare.name), variants: all } };
}

/**
 * Reads the command line of a command that generates once and has the flags `own` beside.
 *
 * @throws {UsageError} If a flag is unknown or a value does not fit.
 */
export function readGeneration<S extends Settings>(
  args: readonly string[],
  own: S,
): GenerationOptions & Values<S> {
  const settings: Settings = { ...FIELDS, ...MODEL, ...own };
  const { values, positional } = readSettings(settings, args, {});
  if (positional.length > 1) {
    throw new UsageError(
      `Cannot read the command line: ${positional.length} prompts are given, expected one in quotes`,
    );
  }
  const fields = Object.keys(FIELDS).map((name) => [snakeCase(name), values[name]] as const);
  const [given] = positional;
  const promptSource = given === undefined ? "default" : given === "-" ? "stdin" : "argument";
  const prompt = promptSource === "argument" ? given : "";
  const body = { prompt, ...Object.fromEntries(fields) };
  const request = withFlagNames(() => parseGeneration(BlocksFields, body));
  const others = Object.keys({ ...MODEL, ...own }).map((name) => [name, values[name]]);
  // FIELDS has names that the compiler does not know, and so forgets which types the others have.
  return {
    request,
    promptSource,
    ...Object.fromEntries(others) as Values<typeof MODEL> & Values<S>,
  };
}

/**
 * Gives what `check` gives; what it refuses becomes an error that names flags in place of fields.
 *
 * @throws {UsageError} If `check` throws a `RequestError`.
 */
export function withFlagNames<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof RequestError)) throw cause;
    const { code, param } = cause;
    if (code === "context_length_exceeded") {
      const remedy = "shorten the prompt, lower --max-tokens or give --overflow slide";
      throw new UsageError(`${cause.message}; ${remedy}`, { cause });
    }
    const name = param?.replace(/\[.*/, "") ?? "";
    const message = cause.message.replace(name, flagOf(camelCase(name)));
    throw new UsageError(name === "" ? cause.message : message, { cause });
  }
}

/** The shorter of the two lists: the strategies that have an option, or those that do not. */
function strategiesWith(option: string): string {
  const names = (isWanted: boolean) =>
    StrategyOptions.options.filter(({ shape }) => (option in shape) === isWanted)
      .map(({ shape }) => shape.strategy.value);
  const [having, lacking] = [names(true), names(false)];
  if (lacking.length === 0) return "with every strategy";
  return lacking.length < having.length
    ? `not with ${lacking.join(", ")}`
    : `with ${having.join(", ")}`;
}

/** The name of a flag's value: `max_tokens` → `maxTokens`. */
export function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The name of a request's field: `maxTokens` → `max_tokens`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
}
