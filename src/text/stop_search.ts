/** Where a stop string was found. */
export interface StopMatch {
  readonly stop: string;
  /** Code units of the searched piece up to the end of the occurrence. */
  readonly end: number;
}

/**
 * Looks for the first complete occurrence of any of several strings in text that comes in pieces.
 *
 * Source: Knuth, Morris and Pratt 1977, "Fast pattern matching in strings".
 */
export class StopSearch {
  readonly #stops: readonly string[];
  /** For every stop string: the longest border of each of its beginnings, by their length − 1. */
  readonly #borders: readonly Int32Array[];
  /** For every stop string: code units of it that the text ends with. */
  readonly #matched: Int32Array;

  /** @throws {RangeError} If a string is empty or not well-formed. */
  constructor(stops: readonly string[]) {
    for (const stop of stops) {
      if (stop !== "" && stop.isWellFormed()) continue;
      throw new RangeError(
        `Cannot search the text: stop string is ${JSON.stringify(stop)}, expected characters`,
      );
    }
    this.#stops = stops;
    this.#borders = stops.map(borders);
    this.#matched = new Int32Array(stops.length);
  }

  /** Code units at the end of the text so far that may begin an occurrence. */
  get held(): number {
    return this.#matched.reduce((longest, each) => Math.max(longest, each), 0);
  }

  /**
   * Goes on with `text`. Gives the occurrence that is complete first, the longest of several that
   * are complete at the same place; the search is over then.
   */
  next(text: string): StopMatch | null {
    if (this.#stops.length === 0) return null;
    for (let i = 0; i < text.length; i++) {
      const stop = this.#step(text.charCodeAt(i));
      if (stop !== null) return { stop, end: i + 1 };
    }
    return null;
  }

  #step(unit: number): string | null {
    let found: string | null = null;
    for (const [s, stop] of this.#stops.entries()) {
      const matched = extend(stop, {
        unit,
        matched: this.#matched[s]!,
        borders: this.#borders[s]!,
      });
      this.#matched[s] = matched;
      if (matched === stop.length && stop.length > (found?.length ?? 0)) found = stop;
    }
    return found;
  }
}

/** Code units of `stop` that a text ends with after `unit`, from those that it ended with before. */
function extend(
  stop: string,
  { unit, matched, borders }: { unit: number; matched: number; borders: Int32Array },
): number {
  let length = matched;
  while (length > 0 && stop.charCodeAt(length) !== unit) length = borders[length - 1]!;
  return stop.charCodeAt(length) === unit ? length + 1 : 0;
}

function borders(stop: string): Int32Array {
  const result = new Int32Array(stop.length);
  for (let i = 1; i < stop.length; i++) {
    const unit = stop.charCodeAt(i);
    result[i] = extend(stop, { unit, matched: result[i - 1]!, borders: result });
  }
  return result;
}
