import { uniformAt } from "../diffusion/random.ts";

/** What stands between two texts of a file. */
export const SEPARATOR = "\n<|endoftext|>\n";

/** Numbers of `random.ts` that shuffle and shift; noise has others. */
const CHOICE = 1023;

/** Cuts a file into its texts. */
export function splitTexts(file: string): string[] {
  return file.split(SEPARATOR).map((each) => each.trim()).filter((each) => each !== "");
}

/**
 * All texts in a row, an end token before each one and after the last.
 *
 * @param encode Text to token ids, without special tokens.
 */
export function joinTokens(
  texts: readonly string[],
  { encode, endToken }: { encode: (text: string) => readonly number[]; endToken: number },
): Uint32Array {
  const parts = texts.map((each) => encode(each));
  const tokens = new Uint32Array(parts.reduce((sum, part) => sum + part.length + 1, 1));
  let end = 0;
  for (const part of parts) {
    tokens[end++] = endToken;
    tokens.set(part, end);
    end += part.length;
  }
  tokens[end] = endToken;
  return tokens;
}

/**
 * Windows of a run of tokens, without an end: in every epoch all of them once, in another order and
 * cut at other places. Which one is number `index` depends on the seed alone.
 */
export class Windows {
  readonly #tokens: Uint32Array;
  readonly #length: number;
  readonly #seed: number;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array();

  /** @throws {RangeError} If there are too few tokens for one window at any place. */
  constructor(tokens: Uint32Array, { length, seed }: { length: number; seed: number }) {
    if (tokens.length < 2 * length) {
      throw new RangeError(
        `Cannot train: the text has ${tokens.length} tokens, expected at least ${2 * length}`,
      );
    }
    this.#tokens = tokens;
    this.#length = length;
    this.#seed = seed;
  }

  /** Windows of an epoch: one fewer than there are, so that their beginning can be shifted. */
  get perEpoch(): number {
    return Math.floor(this.#tokens.length / this.#length) - 1;
  }

  /** The tokens of a window. */
  at(index: number): Uint32Array {
    const epoch = Math.floor(index / this.perEpoch);
    if (epoch !== this.#epoch) this.#shuffle(epoch);
    const window = this.#order[index % this.perEpoch]!; // Below perEpoch.
    const shift = Math.floor(this.#uniform(epoch, 0) * this.#length);
    const first = window * this.#length + shift;
    return this.#tokens.subarray(first, first + this.#length);
  }

  /** `count` windows from number `first` on. */
  take(first: number, count: number): Uint32Array[] {
    return Array.from({ length: count }, (_, i) => this.at(first + i));
  }

  #shuffle(epoch: number): void {
    const keys = Float64Array.from(
      { length: this.perEpoch },
      (_, i) => this.#uniform(epoch, 1 + i),
    );
    this.#order = new Uint32Array(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
    this.#epoch = epoch;
  }

  #uniform(step: number, position: number): number {
    return uniformAt(this.#seed, { choice: CHOICE, stream: "order", step, position });
  }
}

/** Windows that do not overlap, from the beginning on; `most` of them at most, evenly spread. */
export function heldOutWindows(
  tokens: Uint32Array,
  { length, most }: { length: number; most: number },
): Uint32Array[] {
  const all = Math.floor(tokens.length / length);
  const count = Math.min(all, most);
  return Array.from({ length: count }, (_, i) => {
    const window = Math.floor(i * all / count);
    return tokens.subarray(window * length, (window + 1) * length);
  });
}
