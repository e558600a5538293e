import type { CacheFormat, PagedCache } from "../../kernels/mod.ts";
import type { Pass, Tensor } from "../gpu/mod.ts";
import type { ModelConfig } from "./family.ts";

/** What a forward pass reads, all of it on the device. */
export interface PassInputs {
  /** [bound] rows, see `kernels/rows.wgsl`. */
  readonly rows: Tensor;
  /** Live rows and live heads. */
  readonly counts: Tensor;
  /** Live rows at most. */
  readonly bound: number;
  /** How many neighbouring rows are mostly of one sequence. */
  readonly together: number;
  /** [conditions] f32: noise levels that rows point to. */
  readonly sigma: Tensor;
  /** Noise levels in use at most. */
  readonly conditions: number;
  /** Keys and values by layer. */
  readonly cache: readonly PagedCache[];
}

/** The rows of a pass that logits are wanted for. */
export interface HeadInputs {
  /** [headBound] heads, see `kernels/heads.wgsl`. */
  readonly heads: Tensor;
  /** Live heads at most. */
  readonly headBound: number;
}

/** What memory the cache needs for one token of one layer. */
export interface CacheShape {
  readonly layers: number;
  /** Key/value heads. */
  readonly heads: number;
  /** Components of a head, padding included. */
  readonly headWidth: number;
  readonly format: CacheFormat;
}

/** A network on the device. Knows rows, not sequences. */
export interface Network extends Disposable {
  readonly config: ModelConfig;
  readonly cacheShape: CacheShape;
  /**
   * Records the network up to its output layer: keys and values of all live rows go to the cache, and
   * what the output layer takes is computed for the heads' rows alone.
   *
   * @returns [headBound, width] f32, scratch of `pass`; `null` where there are no heads.
   */
  forward(pass: Pass, inputs: PassInputs & HeadInputs): Tensor | null;
  /**
   * Records the output layer for `part.rows` heads from head `part.skip` on.
   *
   * @returns [part.rows, vocabulary padded to 32] f32 raw logits, scratch of `pass`.
   */
  logits(
    pass: Pass,
    normalized: Tensor,
    part: { readonly counts: Tensor; readonly skip: number; readonly rows: number },
  ): Tensor;
}
