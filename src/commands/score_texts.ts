import { SequenceError } from "../engine/request.ts";
import type { ScoreRequest, ScoreTexts, TextScore } from "../engine/score.ts";
import { boundsOf } from "../evaluation/likelihood.ts";
import { NotFiniteError, type Scorer } from "../evaluation/scorer.ts";

/** How a server scores: between bursts there is time for few rows. */
export const SERVED_SCORING = { rows: 256 };

/** What an engine scores texts with: bounds by counts of masks, which have the least noise. */
export function scoreTexts(scorer: Scorer): ScoreTexts {
  return async function* (request, { rowsOfPass }) {
    try {
      return yield* scoreAll(scorer, request, rowsOfPass);
    } catch (cause) {
      if (!(cause instanceof NotFiniteError)) throw cause;
      throw new SequenceError("internal_error", "A pass gave no finite numbers", { cause });
    }
  };
}

async function* scoreAll(
  scorer: Scorer,
  { texts, blockSize, samples, seed, byToken }: ScoreRequest,
  rowsOfPass: () => number,
): AsyncGenerator<number, readonly TextScore[]> {
  const all = texts.map(({ tokens, given }) => ({ x0: tokens, given, blockSize }));
  const estimator = { type: "counts" } as const;
  const steps = boundsOf(scorer, all, { estimator, samples, seed, rowsOfPass, byToken });
  let rows = 0;
  try {
    for (let step = await steps.next();; step = await steps.next()) {
      if (step.done) return step.value;
      yield step.value.doneRows - rows;
      rows = step.value.doneRows;
    }
  } finally {
    // Gives the cache back where nobody asks for more.
    await steps.return([]);
  }
}
