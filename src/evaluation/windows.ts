import type { Tokenizer } from "../text/tokenizer.ts";
import { type Bound, type BoundOptions, boundsOf } from "./likelihood.ts";
import type { Scorer } from "./scorer.ts";

/** What stands between two stories of a file; a file without it is one story. */
const STORY_END = "\n<|endoftext|>\n";
/** Windows whose noise is drawn at a time. */
const CHUNK = 64;

/**
 * Cuts a text into windows as the model that ships was evaluated on: its stories, each after a BOS
 * where the model has one, one after the other, without a rest shorter than a window. A text with
 * less than a window is one.
 *
 * @param options `length` of a window, tokens.
 */
export function windowsOf(
  text: string,
  { tokenizer, bosToken, length }: {
    readonly tokenizer: Pick<Tokenizer, "encode">;
    readonly bosToken: number | null;
    readonly length: number;
  },
): number[][] {
  const stories = text.split(STORY_END).filter((story) => story !== "");
  const bos = bosToken === null ? [] : [bosToken];
  const tokens = stories.flatMap((story) => [...bos, ...tokenizer.encode(story)]);
  const count = Math.max(1, Math.floor(tokens.length / length));
  return Array.from({ length: count }, (_, i) => tokens.slice(i * length, (i + 1) * length));
}

/** Bytes of text that the scored tokens of a window stand for: all but the first. */
export function scoredBytes(
  window: readonly number[],
  tokenizer: Pick<Tokenizer, "bytes">,
): number {
  return window.slice(1).reduce((sum, token) => sum + tokenizer.bytes(token).length, 0);
}

/**
 * Bounds of all windows, whose first token each is given; stops after every pass.
 *
 * @throws As {@linkcode boundsOf} does.
 */
export async function* boundsOfWindows(
  scorer: Scorer,
  windows: readonly (readonly number[])[],
  options: Omit<BoundOptions, "positionOf" | "rowsOfPass"> & { readonly blockSize: number },
): AsyncGenerator<{ readonly share: number }, Bound[]> {
  const { blockSize, ...drawing } = options;
  const bounds: Bound[] = [];
  while (bounds.length < windows.length) {
    const done = bounds.length;
    const chunk = windows.slice(done, done + CHUNK);
    const steps = boundsOf(scorer, chunk.map((x0) => ({ x0, given: 1, blockSize })), {
      ...drawing,
      positionOf: (i) => (done + i) * windows[0]!.length,
    });
    let step = await steps.next();
    for (; !step.done; step = await steps.next()) {
      const { doneRows, allRows } = step.value;
      yield { share: (done + chunk.length * doneRows / allRows) / windows.length };
    }
    bounds.push(...step.value);
  }
  return bounds;
}
