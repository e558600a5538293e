/** The official samplers, replayed in float64 from the uniforms of a recorded run. */
import { gumbelUniforms, type Trace } from "../support/traces.ts";
import { subsLogProbabilities } from "./forward.ts";
import { blockCausal } from "./masks.ts";
import { forward, joinKeyValues, type KeyValues, type Network } from "./network.ts";
import { drawCdf, drawGumbel, nucleus } from "./reveal.ts";

/** −ln(10⁻³): the largest noise level the network is given. */
const SIGMA_MAX = 6.90775528;

/** One iteration, in the words of the recorded steps. */
export interface SampledStep {
  readonly block: number;
  readonly i: number;
  readonly n_masked: number;
  readonly t: number;
  readonly x_after: readonly number[];
  /** First-hitting only. */
  readonly index?: number;
  /** First-hitting only: the position in the block that fell. */
  readonly pos?: number;
  /** Ancestral only. */
  readonly mask_prob?: number;
  /** Whether the last iteration's probabilities served again. */
  readonly reused: boolean;
}

/** A finished run. */
export interface Sampled {
  readonly tokens: readonly number[];
  readonly nfe: number;
  readonly steps: readonly SampledStep[];
}

/** A block in the making. */
interface Drawing {
  readonly trace: Trace;
  /** Index into the trace's steps, counted over all blocks. */
  readonly iteration: number;
  readonly tokens: readonly number[];
  /** Per position: filtered probabilities [vocabulary]. */
  readonly p: readonly Float64Array[];
}

/**
 * Samples what `trace` describes: settings and uniforms are read from it, never its tokens.
 *
 * Source: official BD3-LM code, `_semi_ar_sampler`, `_ddpm_caching_update`.
 */
export function sample(network: Network, trace: Trace): Sampled {
  const sequence: number[] = [];
  const committed: KeyValues[] = [];
  const steps: SampledStep[] = [];
  for (let block = 0; block < Math.floor(trace.length / trace.block_size); block++) {
    let tokens: readonly number[] = Array(trace.block_size).fill(trace.mask);
    if (block === 0) tokens = [trace.bos, ...tokens.slice(1)];
    const context = { network, trace, sequence, committed };
    let p: Float64Array[] | null = null;
    let t = 1;
    for (let i = 0; i < trace.num_steps && tokens.includes(trace.mask); i++) {
      const reused = p !== null;
      t = timeOf(trace, { iteration: steps.length, i, t, masks: maskedOf(tokens, trace).length });
      p ??= denoise(tokens, { ...context, sigma: sigmaOf(t) });
      const drawn = draw({ trace, iteration: steps.length, tokens, p }, { t });
      const n_masked = maskedOf(tokens, trace).length;
      steps.push({ block, i, n_masked, t, reused, ...drawn });
      if (drawn.x_after.some((token, at) => token !== tokens[at])) p = null;
      tokens = drawn.x_after;
    }
    if (trace.kv_cache) committed.push(runBlock(tokens, { ...context, sigma: sigmaOf(t) }));
    sequence.push(...tokens);
  }
  const changes = steps.filter(({ n_masked, x_after }) =>
    maskedOf(x_after, trace).length < n_masked
  );
  return { tokens: sequence, nfe: changes.length, steps };
}

function maskedOf(tokens: readonly number[], { mask }: Trace): number[] {
  return tokens.flatMap((token, position) => token === mask ? [position] : []);
}

/** Noise level of time t under the log-linear schedule. */
function sigmaOf(t: number): number {
  return Math.min(-Math.log(1 - t), SIGMA_MAX);
}

/** The time given to the network in this iteration. */
function timeOf(
  trace: Trace,
  { iteration, i, t, masks }: { iteration: number; i: number; t: number; masks: number },
): number {
  switch (trace.sampler) {
    case "first_hitting":
      return t * stepOf(trace.steps, iteration).u_time ** (1 / masks);
    case "ddpm":
      return 1 - i / (trace.num_steps - 1);
  }
}

function stepOf<Step>(steps: readonly Step[], iteration: number): Step {
  const step = steps[iteration];
  if (step) return step;
  throw new RangeError(`Cannot replay: iteration is ${iteration}, expected one of ${steps.length}`);
}

/** What a pass over a block stands on. */
interface Context {
  readonly network: Network;
  readonly trace: Trace;
  /** Finished tokens. */
  readonly sequence: readonly number[];
  /** One entry per finished block, with a cache. */
  readonly committed: readonly KeyValues[];
  readonly sigma: number;
}

/** Filtered probabilities of every position of the block, from one pass. */
function denoise(tokens: readonly number[], context: Context): Float64Array[] {
  const { trace: { mask, nucleus_p }, network: { config: { vocab_size: size } } } = context;
  const { logits } = runBlock(tokens, context);
  const p = subsLogProbabilities(logits, tokens, { mask }).map(Math.exp);
  return tokens.map((_, row) => nucleus(p.subarray(row * size, (row + 1) * size), nucleus_p));
}

/** Logits, keys and values of the block after what came before it, with or without the cache. */
function runBlock(tokens: readonly number[], { network, trace, ...context }: Context) {
  const { block_size: blockSize, window } = trace;
  const { sequence, committed, sigma } = context;
  if (trace.kv_cache) {
    const blocksBehind = window / blockSize - 1;
    return forward(network, {
      tokens,
      positions: tokens.map((_, i) => sequence.length + i),
      // What has left the window has left the cache, and all that is cached is seen.
      visible: () => true,
      past: joinKeyValues(committed.slice(Math.max(0, committed.length - blocksBehind))),
      sigma,
    });
  }
  const recomputed = [...sequence, ...tokens].slice(-window);
  const result = forward(network, {
    tokens: recomputed,
    positions: [...recomputed.keys()],
    visible: (query, key) => blockCausal(query, key, { blockSize }),
    sigma,
  });
  return { ...result, logits: result.logits.slice(-blockSize * network.config.vocab_size) };
}

/** The block after this iteration's draws. */
function draw(drawing: Drawing, { t }: { t: number }) {
  const { trace, iteration, tokens, p } = drawing;
  const masked = maskedOf(tokens, trace);
  switch (trace.sampler) {
    case "first_hitting": {
      const index = Math.floor(stepOf(trace.steps, iteration).u_index * masked.length);
      const pos = masked[index]!;
      return { index, pos, x_after: tokens.with(pos, drawToken(p[pos]!, { ...drawing, pos })) };
    }
    case "ddpm": {
      const mask_prob = (t - 1 / trace.num_steps) / t;
      const x_after = tokens.map((token, pos) => {
        if (token !== trace.mask) return token;
        const weights = p[pos]!.map((each) => each * (1 - mask_prob));
        weights[trace.mask] = mask_prob;
        return drawToken(weights, { ...drawing, pos });
      });
      return { mask_prob, x_after };
    }
  }
}

function drawToken(
  weights: Float64Array,
  { trace, iteration, pos }: { trace: Trace; iteration: number; pos: number },
): number {
  // A union of arrays is widened to what its steps have in common.
  const steps: readonly (typeof trace.steps)[number][] = trace.steps;
  switch (trace.draw) {
    case "cdf":
      return drawCdf(weights, stepOf(steps, iteration).u_cat![pos]!);
    case "gumbel":
      return drawGumbel(weights, gumbelUniforms(trace, iteration, pos));
  }
}
