/** Plays recorded sampler runs through the product's network, fed the recorded uniforms. */
import type { Gpu } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { ForwardHarness, type Rows } from "./forward.ts";
import { type Falling, TraceDrawer, type Trunk } from "./trace_draws.ts";
import type { Trace } from "./traces.ts";

/** −ln 10⁻³: the largest noise level the network is given. */
const MAX_SIGMA = 6.90775528;

/** One iteration, in the words of the recorded steps. */
export interface PlayedStep {
  readonly block: number;
  readonly i: number;
  readonly n_masked: number;
  readonly x_after: readonly number[];
  /** No forward pass: what the last one gave served again. */
  readonly reused: boolean;
  /** First-hitting only: which mask fell, counted from the left, and its place in the block. */
  readonly index?: number;
  readonly pos?: number;
}

/** A finished run. */
export interface Played {
  readonly tokens: readonly number[];
  /** Iterations that changed a token. */
  readonly nfe: number;
  readonly steps: readonly PlayedStep[];
}

/**
 * Samples what `trace` describes. Settings, times and uniforms are read from it, never its tokens.
 *
 * Source: official BD3-LM code, `_semi_ar_sampler`, `_ddpm_caching_update`.
 */
export async function playTrace(gpu: Gpu, network: Bd3lm, trace: Trace): Promise<Played> {
  const drawer = await TraceDrawer.open(gpu, network, trace);
  using player = new TracePlayer(gpu, network, { trace, drawer });
  return await player.play();
}

class TracePlayer implements Disposable {
  readonly #trace: Trace;
  readonly #harness: ForwardHarness;
  readonly #drawer: TraceDrawer;
  /** Finished tokens, whole blocks. */
  readonly #sequence: number[] = [];
  readonly #steps: PlayedStep[] = [];
  /** The last forward pass, while no token has changed since. */
  #trunk: Trunk | null = null;
  /** Noise level of the block's last iteration so far. */
  #sigma = MAX_SIGMA;
  /** The finished block whose keys and values are not in the cache yet. */
  #uncommitted: Rows | null = null;

  constructor(gpu: Gpu, network: Bd3lm, parts: { trace: Trace; drawer: TraceDrawer }) {
    const { trace, drawer } = parts;
    this.#trace = trace;
    this.#drawer = drawer;
    const positions = trace.window + trace.block_size;
    this.#harness = new ForwardHarness(gpu, network, { positions });
  }

  async play(): Promise<Played> {
    const { length, block_size: blockSize, mask, bos } = this.#trace;
    for (let block = 0; block < Math.floor(length / blockSize); block++) {
      const masks = Array<number>(blockSize).fill(mask);
      const tokens = await this.#playBlock(block, block === 0 ? masks.with(0, bos) : masks);
      this.#uncommitted = this.#rows(tokens, block * blockSize);
      this.#sequence.push(...tokens);
    }
    const changes = this.#steps.filter(({ n_masked, x_after }) =>
      this.#maskedOf(x_after).length < n_masked
    );
    return { tokens: this.#sequence, nfe: changes.length, steps: this.#steps };
  }

  [Symbol.dispose](): void {
    this.#harness[Symbol.dispose]();
    this.#drawer[Symbol.dispose]();
  }

  async #playBlock(block: number, first: readonly number[]): Promise<readonly number[]> {
    const { num_steps, mask, block_size: blockSize } = this.#trace;
    let tokens = first;
    this.#trunk = null;
    this.#sigma = MAX_SIGMA;
    for (let i = 0; i < num_steps && tokens.includes(mask); i++) {
      const iteration = this.#steps.length;
      const { t } = stepOf<{ t: number }>(this.#trace.steps, iteration);
      this.#sigma = Math.min(-Math.log(1 - t), MAX_SIGMA);
      const reused = this.#trunk !== null;
      const trunk = this.#trunk ??= this.#prepare(tokens);
      const masked = this.#maskedOf(tokens);
      const { falling, ...which } = this.#choose(masked);
      const start = block * blockSize;
      const x_after = falling.length === 0
        ? tokens
        : await this.#drawer.draw({ iteration, tokens, start, falling, trunk });
      this.#steps.push({ block, i, n_masked: masked.length, x_after, reused, ...which });
      if (x_after.some((token, at) => token !== tokens[at])) this.#trunk = null;
      tokens = x_after;
    }
    return tokens;
  }

  #maskedOf(tokens: readonly number[]): number[] {
    return tokens.flatMap((token, i) => token === this.#trace.mask ? [i] : []);
  }

  #rows(tokens: readonly number[], position: number): Rows {
    const { block_size: blockSize, window } = this.#trace;
    return { tokens, position, blockSize, window, sigma: this.#sigma };
  }

  /** The trunk for a block, beside which the block before it is committed; or for all it sees. */
  #prepare(tokens: readonly number[]): Trunk {
    const { kv_cache: isCached, window, block_size: blockSize } = this.#trace;
    const commit = this.#uncommitted ? [this.#uncommitted] : [];
    const groups = isCached
      ? [...commit, this.#rows(tokens, this.#sequence.length)]
      : [this.#rows([...this.#sequence, ...tokens].slice(-window), 0)];
    this.#uncommitted = null;
    const inputs = this.#harness.inputs(groups);
    return { inputs, firstRow: inputs.bound - blockSize };
  }

  /** Which of the masked positions tokens are drawn for in this iteration. */
  #choose(masked: readonly number[]): { falling: Falling[]; index?: number; pos?: number } {
    const trace = this.#trace;
    const iteration = this.#steps.length;
    switch (trace.sampler) {
      case "first_hitting": {
        const { u_index, u_cat } = stepOf(trace.steps, iteration);
        const index = Math.floor(u_index * masked.length);
        const pos = masked[index]!;
        return { falling: [{ offset: pos, uniform: u_cat?.[pos] ?? 0 }], index, pos };
      }
      case "ddpm": {
        const { mask_prob, u_cat } = stepOf(trace.steps, iteration);
        if (!u_cat) return { falling: masked.map((offset) => ({ offset, uniform: 0 })) };
        // Weights p_v (1 - mask_prob), and mask_prob for the mask, which comes last: below
        // 1 - mask_prob the uniform picks a token, at the same share of the tokens' own mass.
        const share = 1 - mask_prob;
        const falling = masked.filter((offset) => u_cat[offset]! < share);
        return { falling: falling.map((offset) => ({ offset, uniform: u_cat[offset]! / share })) };
      }
    }
  }
}

/** @throws {RangeError} If the trace has ended. */
function stepOf<Step>(steps: readonly Step[], iteration: number): Step {
  const step = steps[iteration];
  if (step) return step;
  throw new RangeError(`Cannot play on: the trace ends after ${steps.length} iterations`);
}
