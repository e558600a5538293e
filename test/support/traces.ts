/** Recorded sampler runs: `trace_*.json` of `test/fixtures`, fields as its README has them. */
import { dirname, join } from "@std/path";
import { floatsOf, readFixture, readJson } from "./fixtures.ts";

/** What every recorded run says about itself, in the names of the file. */
interface TraceSettings {
  /** `cdf`: `u_cat` of each step; `gumbel`: {@linkcode gumbelUniforms}. */
  readonly draw: "cdf" | "gumbel";
  /** 1 is off. */
  readonly nucleus_p: number;
  /** Iterations allowed per block: T of the reference. */
  readonly num_steps: number;
  /** Tokens to sample, BOS included. */
  readonly length: number;
  readonly block_size: number;
  readonly model_length: number;
  /** Tokens a block may look back on, its own included. */
  readonly window: number;
  /** False: the last `window` tokens are computed afresh in every pass. */
  readonly kv_cache: boolean;
  readonly mask: number;
  readonly bos: number;
  readonly eos: number;
  readonly time_conditioning: boolean;
  /** Iterations that changed a token. */
  readonly nfe: number;
  /** The finished sequence, BOS first. */
  readonly tokens: readonly number[];
  /** The repeated run with the other cache setting gave the same tokens; null: not meaningful. */
  readonly same_tokens_with_and_without_kv_cache: boolean | null;
  /** Only with `draw: "gumbel"`: the file of the uniforms, beside the trace. */
  readonly uniforms_file?: string;
}

/** One iteration of either sampler. */
interface TraceStep {
  /** Absolute index of the block. */
  readonly block: number;
  /** Iteration within the block. */
  readonly i: number;
  /** Masks in the block before this iteration. */
  readonly n_masked: number;
  /** Time the network is given, in (0, 1]. */
  readonly t: number;
  /** [block_size] uniforms, one per position; only with `draw: "cdf"`. */
  readonly u_cat?: readonly number[];
  /** [block_size] tokens of the block afterwards. */
  readonly x_after: readonly number[];
}

/** One iteration of the first-hitting sampler: it writes one token. */
export interface FirstHittingTraceStep extends TraceStep {
  readonly u_time: number;
  readonly u_index: number;
  /** Which of the masked positions, counted from the left. */
  readonly index: number;
  /** Position in the block of that mask. */
  readonly pos: number;
  /** The token written there. */
  readonly token: number;
}

/** One iteration of the ancestral sampler on the official grid. */
export interface DdpmTraceStep extends TraceStep {
  /** Probability that a mask stays a mask. */
  readonly mask_prob: number;
  /** True: nothing changed in the last iteration, so no forward pass happens. */
  readonly reused_p_x0: boolean;
}

/** A recorded first-hitting run. */
export interface FirstHittingTrace extends TraceSettings {
  readonly sampler: "first_hitting";
  readonly steps: readonly FirstHittingTraceStep[];
}

/** A recorded ancestral run. */
export interface DdpmTrace extends TraceSettings {
  readonly sampler: "ddpm";
  readonly steps: readonly DdpmTraceStep[];
}

/**
 * A recorded run. `uniforms` holds the uniforms of `draw: "gumbel"`, else null: f32
 * [iterations, block_size, vocabulary], or [iterations, vocabulary] with the written position's row
 * only.
 */
export type Trace = (FirstHittingTrace | DdpmTrace) & {
  readonly uniforms: Float32Array | Float64Array | null;
};

/** Absolute paths of the traces in a fixture folder, by name. */
export function traceFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)]
    .filter((entry) => /^trace_.*\.json$/.test(entry.name))
    .map((entry) => join(folder, entry.name))
    .sort();
}

/** A trace with its uniforms. */
export function readTrace(path: string): Trace {
  // The recorder writes these fields; what it writes is described in the fixtures' README.
  const trace = readJson(path) as FirstHittingTrace | DdpmTrace;
  if (trace.uniforms_file === undefined) return { ...trace, uniforms: null };
  const fixture = readFixture(join(dirname(path), trace.uniforms_file));
  const name = fixture.has("u_gumbel") ? "u_gumbel" : "u_gumbel_row";
  return { ...trace, uniforms: floatsOf(fixture, name) };
}

/**
 * The uniforms of a Gumbel draw: [vocabulary] for position `position` of the block in iteration
 * `iteration`, an index into `steps`.
 *
 * @throws {RangeError} If the trace records none for that iteration.
 */
export function gumbelUniforms(
  trace: Trace,
  iteration: number,
  position: number,
): Float32Array | Float64Array {
  const { uniforms, steps, block_size: blockSize, mask } = trace;
  const vocabularySize = mask + 1;
  if (!uniforms || iteration >= steps.length) {
    throw new RangeError(`Cannot read uniforms: the trace records none for iteration ${iteration}`);
  }
  const hasAllRows = uniforms.length === steps.length * blockSize * vocabularySize;
  const row = hasAllRows ? iteration * blockSize + position : iteration;
  return uniforms.subarray(row * vocabularySize, (row + 1) * vocabularySize);
}
