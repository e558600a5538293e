import { camelCase, snakeCase } from "../commands/generate_options.ts";
import { RequestError } from "../server/errors.ts";

/** A remasking strategy: the rule by which a denoising step turns masks into tokens. */
export type Strategy =
  | "first_hitting"
  | "ancestral"
  | "sequential"
  | "random"
  | "low_confidence_static"
  | "low_confidence_dynamic"
  | "entropy_bounded";

/** How a text is generated; each may be left out. Limits and defaults are those of the HTTP API. */
export interface GenerateOptions {
  /** Most tokens to generate; else 256, or what still fits. */
  readonly maxTokens?: number;
  /** Past the context length: refuse, or go on with the last whole blocks that fit. */
  readonly overflow?: "error" | "slide";
  /** Whether to go on after the end token. */
  readonly ignoreEos?: boolean;
  /** Nats; ends when the entropy of the last 256 tokens falls below. 0 is off. */
  readonly minEntropy?: number;
  /** What logits are divided by, 0 to 2; 0 takes the most probable token at each position. */
  readonly temperature?: number;
  /** Share of the probability to draw from, up to 1. */
  readonly topP?: number;
  /** Most probable tokens to draw from; 0 is all. */
  readonly topK?: number;
  /** Integer from 0; the same seed gives the same text. Else a fresh one. */
  readonly seed?: number;
  /** Ends the text before the first of these. */
  readonly stop?: string | readonly string[];
  /** Tokens denoised together: one of the model's `blockSizes`, else its own. */
  readonly blockSize?: number;
  /** Tokens of a block denoised before those after them: a divisor of it, else the model's own. */
  readonly subBlockSize?: number;
  /** Else `first_hitting`. */
  readonly strategy?: Strategy;
  /** Denoising steps per block; not with `first_hitting`. */
  readonly steps?: number;
  /** Confidence from which a token is taken, with `low_confidence_dynamic`. */
  readonly threshold?: number;
  /** Nats, with `entropy_bounded`. */
  readonly entropyBound?: number;
  /** Ends it at once; what waits for it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How a text is scored; each may be left out. Limits and defaults are those of the HTTP API. */
export interface ScoreOptions {
  /** What comes before the text, which is given and not scored. */
  readonly context?: string | readonly number[];
  /** Draws of the noise, 1 to 64. */
  readonly samples?: number;
  /** Integer from 0; the same seed gives the same numbers. Else a fresh one. */
  readonly seed?: number;
  /** Tokens denoised together: one of the model's `blockSizes`, else its own. */
  readonly blockSize?: number;
  /** Ends it; the score then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options under the names that the server's schemas have for them. */
export function toFields(options: GenerateOptions | ScoreOptions): Record<string, unknown> {
  const { signal: _, ...fields } = options;
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined)
      .map(([name, value]) => [snakeCase(name), value]),
  );
}

/**
 * Gives what `check` gives; what it refuses is named as options are.
 *
 * @throws {RangeError} If `check` throws a `RequestError`.
 */
export function withOptionNames<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof RequestError)) throw cause;
    const field = cause.param?.replace(/[[.].*/, "") ?? "";
    const message = cause.message.replaceAll(
      /\b[a-z]+_[a-z_]+\b/g,
      (name) => name === field || name === "max_tokens" ? camelCase(name) : name,
    );
    throw new RangeError(message, { cause });
  }
}
