/** One sequence of a batch with masks in it. */
export interface NoisySequence {
  /** [model length] token ids. */
  readonly x0: ArrayLike<number>;
  readonly xt: ArrayLike<number>;
  /** What −ln p(x_0) counts in the loss at each position; 0 where the token is not masked. */
  readonly weights: ArrayLike<number>;
  /** Noise level that a network with time conditioning is told. */
  readonly sigma: number;
}
