/** From logits to tokens, in plain loops and float64: filters, draws, confidence, entropy. */
import { logSoftmax, type Numbers } from "./forward.ts";

/**
 * Keeps the entries at least as large as the k-th largest, and divides by their sum: ties at the
 * edge survive together. k = 0 is off.
 */
export function topK(p: Numbers, k: number): Float64Array {
  if (k === 0 || k >= p.length) return Float64Array.from(p);
  const edge = [...Float64Array.from(p)].sort((a, b) => b - a)[k - 1]!;
  return renormalise(Float64Array.from(p, (each) => each >= edge ? each : 0));
}

/**
 * Keeps the most probable entries whose cumulative sum, their own share included, is at most
 * `topP`, and always the first; divides by their sum. Equals are taken by rising id. 1 is off.
 *
 * Unlike the common rule this drops the entry that crosses `topP`.
 *
 * Source: `_nucleus_sample` of the official BD3-LM code.
 */
export function nucleus(p: Numbers, topP: number): Float64Array {
  return nucleusOf(p, topP, (rank, _before, through) => rank === 0 || through <= topP);
}

/**
 * As {@linkcode nucleus}, but keeps the entry that crosses `topP`: drops those before which the
 * cumulative sum exceeds it already.
 *
 * Source: SDAR, `generate.py`, `top_p_logits`; Fast-dLLM v2, `sample_with_top_p`.
 */
export function crossingNucleus(p: Numbers, topP: number): Float64Array {
  return nucleusOf(p, topP, (_rank, before) => before <= topP);
}

/** `keeps`: whether an entry stays, by its rank and the cumulative sums before and through it. */
function nucleusOf(
  p: Numbers,
  topP: number,
  keeps: (rank: number, before: number, through: number) => boolean,
): Float64Array {
  const kept = new Float64Array(p.length);
  if (topP === 1) return Float64Array.from(p);
  const ids = Array.from({ length: p.length }, (_, id) => id);
  ids.sort((a, b) => p[b]! - p[a]! || a - b);
  let cumulative = 0;
  for (const [rank, id] of ids.entries()) {
    const before = cumulative;
    cumulative += p[id]!;
    if (!keeps(rank, before, cumulative)) break;
    kept[id] = p[id]!;
  }
  return renormalise(kept);
}

function renormalise(p: Float64Array): Float64Array {
  const sum = p.reduce((a, b) => a + b, 0);
  return p.map((each) => each / sum);
}

/**
 * The smallest id whose cumulative weight exceeds u · Σ weights, for u in [0, 1): the inverse of
 * the distribution function. An entry of weight zero is never drawn.
 */
export function drawCdf(weights: Numbers, u: number): number {
  let total = 0;
  for (let id = 0; id < weights.length; id++) total += weights[id]!;
  let cumulative = 0;
  for (let id = 0; id < weights.length; id++) {
    cumulative += weights[id]!;
    if (cumulative > u * total) return id;
  }
  throw new RangeError(
    `Cannot draw: weights sum to ${total} and u is ${u}, expected a share below 1`,
  );
}

/**
 * The id with the largest weight / (10⁻¹⁰ − ln(u + 10⁻¹⁰)), with one uniform per id: an exponential
 * race; of equals the lowest.
 *
 * Source: `_sample_categorical` of the official BD3-LM code.
 */
export function drawGumbel(weights: Numbers, uniforms: Numbers): number {
  let best = 0;
  let bestRatio = -Infinity;
  for (let id = 0; id < weights.length; id++) {
    const ratio = weights[id]! / (1e-10 - Math.log(uniforms[id]! + 1e-10));
    if (ratio > bestRatio) [best, bestRatio] = [id, ratio];
  }
  return best;
}

/** The id of the largest entry; of equals the lowest. */
export function argmax(values: Numbers): number {
  let best = 0;
  for (let id = 1; id < values.length; id++) if (values[id]! > values[best]!) best = id;
  return best;
}

/** −Σ p ln p over one row, in nats; impossible entries count nothing. */
export function entropy(p: Numbers): number {
  let sum = 0;
  for (let id = 0; id < p.length; id++) if (p[id]! > 0) sum -= p[id]! * Math.log(p[id]!);
  return sum;
}

/**
 * Entropy, in nats, of how often each id occurs among the last `window` tokens.
 *
 * Source: the stop condition of the official BD3-LM sampler.
 */
export function tokenEntropy(tokens: readonly number[], window = 256): number {
  const last = tokens.slice(-window);
  const counts = new Map<number, number>();
  for (const token of last) counts.set(token, (counts.get(token) ?? 0) + 1);
  return entropy([...counts.values()].map((count) => count / last.length));
}

/** How a position's token is drawn from its logits. */
export interface Draw {
  /** 0 takes the most probable token. */
  readonly temperature: number;
  /** 0 is off. */
  readonly topK: number;
  /** 1 is off. */
  readonly topP: number;
  /** Never drawn. */
  readonly mask: number;
  /** In [0, 1). */
  readonly u: number;
  /** Whether top-p keeps the token that crosses it; else it is dropped. */
  readonly keepsCrossing?: boolean;
}

/** What one row of logits suggests for its position. */
export interface Proposed {
  readonly token: number;
  /** The token's probability after temperature and filters; at temperature 0: at 1, unfiltered. */
  readonly confidence: number;
  /** Nats: entropy of the distribution at the temperature, unfiltered; at temperature 0: at 1. */
  readonly entropy: number;
}

/** The token, confidence and entropy of one masked position; `logits` [vocabulary]. */
export function propose(logits: Numbers, draw: Draw): Proposed {
  const { temperature, topK: k, topP, mask, u, keepsCrossing = false } = draw;
  const p = probabilities(logits, { temperature: temperature || 1, mask });
  if (temperature === 0) {
    const token = argmax(p);
    return { token, confidence: p[token]!, entropy: entropy(p) };
  }
  const filtered = (keepsCrossing ? crossingNucleus : nucleus)(topK(p, k), topP);
  const token = drawCdf(filtered, u);
  return { token, confidence: filtered[token]!, entropy: entropy(p) };
}

/** ln p of each token in the model's own distribution, the mask's −∞; `logits` [vocabulary]. */
export function logProbabilities(logits: Numbers, mask: number): Float64Array {
  return logSoftmax(Float64Array.from(logits, (each, id) => id === mask ? -Infinity : each));
}

/** The `count` largest entries that are possible at all, falling; equals by rising id. */
export function largest(
  logP: Numbers,
  count: number,
): { readonly token: number; readonly logprob: number }[] {
  return Array.from(logP, (logprob, token) => ({ token, logprob }))
    .filter(({ logprob }) => logprob > -Infinity)
    .sort((a, b) => b.logprob - a.logprob || a.token - b.token)
    .slice(0, count);
}

/** softmax(logits / temperature) over one row, with the mask left out. */
export function probabilities(
  logits: Numbers,
  { temperature, mask }: { temperature: number; mask: number },
): Float64Array {
  let largest = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    if (id !== mask) largest = Math.max(largest, logits[id]! / temperature);
  }
  const weights = Float64Array.from(
    { length: logits.length },
    (_, id) => id === mask ? 0 : Math.exp(logits[id]! / temperature - largest),
  );
  return renormalise(weights);
}
