import type { ClipCandidate } from "../evaluation/clip_search.ts";
import { steadiest } from "../evaluation/clip_search.ts";
import { type Bound, estimate } from "../evaluation/likelihood.ts";
import { layOut } from "./table.ts";

/** What was evaluated, and how. */
export interface EvaluationSetup {
  readonly model: string;
  readonly weights: string;
  readonly windows: number;
  /** Tokens of a window. */
  readonly windowTokens: number;
  /** Tokens that count: all but the first of each window. */
  readonly tokens: number;
  /** Bytes of text that these stand for. */
  readonly bytes: number;
  readonly noise: string;
  readonly samples: number;
  readonly seed: number;
}

/** The bounds of all windows in blocks of one size. */
export interface SizeBounds {
  readonly blockSize: number;
  readonly bounds: readonly Bound[];
}

/** The candidates of a search in blocks of one size. */
export interface SizeSearch {
  readonly blockSize: number;
  readonly candidates: readonly ClipCandidate[];
}

/** What the bounds of all windows come to, as JSON has it. */
export function summaryOf({ blockSize, bounds }: SizeBounds, { bytes }: EvaluationSetup) {
  const { mean, error } = estimate(bounds.map(({ nelbo, tokens }) => nelbo / tokens));
  const perplexity = Math.exp(mean);
  const nats = bounds.reduce((sum, { nelbo }) => sum + nelbo, 0);
  // A single window says nothing of how much windows differ.
  const known = (value: number) => bounds.length > 1 ? value : null;
  return {
    block_size: blockSize,
    exact: bounds.every(({ isExact }) => isExact),
    nelbo_per_token: mean,
    stderr: known(error),
    perplexity,
    perplexity_stderr: known(perplexity * error),
    bits_per_byte: bytes > 0 ? nats / Math.LN2 / bytes : null,
  };
}

/** What a search came to, as JSON has it. */
export function searchSummaryOf({ blockSize, candidates }: SizeSearch) {
  const { range: [beta, omega] } = steadiest(candidates);
  return {
    block_size: blockSize,
    best: { beta, omega },
    candidates: candidates.map(({ range: [beta, omega], variance, loss }) => ({
      ...{ beta, omega, variance, loss },
    })),
  };
}

/** What every JSON object of `evaluate` begins with. */
export function setupOf({ windowTokens, noise, ...rest }: EvaluationSetup) {
  return { ...rest, window_tokens: windowTokens, noise };
}

/** Two lines on what was evaluated. */
export function heading(setup: EvaluationSetup): string {
  const { model, weights, windows, windowTokens, tokens, bytes, noise, samples, seed } = setup;
  return `${model}, ${weights} weights\n` +
    `${count(windows, "window")} of ${count(windowTokens, "token")}: ` +
    `${count(tokens, "token")} scored, ${count(bytes, "byte")}\n` +
    `noise by ${noise}, ${count(samples, "draw")}, seed ${seed}\n\n`;
}

/** The table over block sizes. */
export function boundTable(sizes: readonly SizeBounds[], setup: EvaluationSetup): string {
  const rows = sizes.map((size) => {
    const each = summaryOf(size, setup);
    return [
      String(each.block_size),
      each.exact ? "=" : "≤",
      each.nelbo_per_token.toFixed(4),
      each.stderr?.toFixed(4) ?? "–",
      each.perplexity.toFixed(2),
      each.perplexity_stderr?.toFixed(2) ?? "–",
      each.bits_per_byte?.toFixed(4) ?? "–",
    ];
  });
  return layOut([["block size", "", "nats/token", "±", "perplexity", "±", "bits/byte"], ...rows]);
}

/** The table over ranges of times, the one whose losses vary least marked. */
export function searchTable({ blockSize, candidates }: SizeSearch): string {
  const best = steadiest(candidates);
  const rows = candidates.map((each) => [
    `U[${each.range.join(", ")}]`,
    each.variance.toFixed(4),
    each.loss.toFixed(4),
    each === best ? "<" : "",
  ]);
  return layOut([[`block size ${blockSize}`, "variance", "loss, nats/token", ""], ...rows]);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
