/** What is asked about the likelihood of texts. Token ids only: text is the server's affair. */
export interface ScoreRequest {
  readonly texts: readonly ScoredText[];
  /** Tokens per block: one of the model's block sizes. */
  readonly blockSize: number;
  /** Draws of the noise. */
  readonly samples: number;
  /** Integer in [0, 2^53). */
  readonly seed: number;
  /** Whether {@linkcode TextScore.byToken} is wanted. */
  readonly byToken: boolean;
}

/** A text to score. */
export interface ScoredText {
  /** Fed to the model as they are, a BOS included where it has one. */
  readonly tokens: readonly number[];
  /** How many tokens at its front are given and not scored. */
  readonly given: number;
}

/** A bound on −ln p of the scored tokens of a text: the NELBO. */
export interface TextScore {
  /** Tokens that were scored. */
  readonly tokens: number;
  /** Nats, the mean over draws. */
  readonly nelbo: number;
  /** Standard error of that mean over draws. */
  readonly error: number;
  /** Whether it is −ln p itself. */
  readonly isExact: boolean;
  /** What each scored token has in `nelbo`, in their order; only where that was asked for. */
  readonly byToken?: readonly number[];
}

/** A scoring under way, seen from outside the engine. */
export interface Scoring {
  /** One score for each text; `null` if it was cancelled. Rejects with a `SequenceError`. */
  readonly scores: Promise<readonly TextScore[] | null>;
  /** Ends it after the pass under way. No effect after the end. */
  cancel(): void;
}

/**
 * Scores texts one forward pass a step, each of at most `rowsOfPass()` rows where a block has no more.
 * Gives the rows of each pass, and in the end one score for each text. Throws a `SequenceError` where
 * only this scoring has failed, anything else where all is lost.
 */
export type ScoreTexts = (
  request: ScoreRequest,
  options: { readonly rowsOfPass: () => number },
) => AsyncGenerator<number, readonly TextScore[]>;
