import { NumberHeap } from "./number_heap.ts";

/** A token that two others become side by side. */
export type Merge = readonly [left: string, right: string];

/** The tokens that a {@linkcode BytePairs} joins. */
export interface BytePairTokens {
  readonly ids: ReadonlyMap<string, number>;
  /** By id. */
  readonly contents: readonly string[];
}

/** More than any id. */
const MOST_TOKENS = 2 ** 25;

/** Of a character that is no token, and of what was joined to its left. */
const UNKNOWN = -1;
const JOINED = -2;

/**
 * Joins the characters of words to tokens, the most important merge first, and of those the
 * leftmost.
 *
 * The library writes every pair as JSON to look it up: 2 s for one word of a million letters.
 *
 * Source: Sennrich et al. 2016, "Neural machine translation of rare words with subword units";
 * tokenizers (Rust), `models/bpe/word.rs`.
 */
export class BytePairs {
  readonly #tokens: BytePairTokens;
  /** Ranks of merges, by both their parts. */
  readonly #ranks = new Map<number, number>();
  /** What the parts become, by rank. */
  readonly #results: Int32Array;

  /** @param merges In order of importance; their parts and results are tokens. */
  constructor(tokens: BytePairTokens, merges: readonly Merge[]) {
    const { ids } = tokens;
    this.#tokens = tokens;
    this.#results = Int32Array.from(merges, ([left, right]) => ids.get(left + right)!);
    for (const [rank, [left, right]] of merges.entries()) {
      this.#ranks.set(ids.get(left)! * MOST_TOKENS + ids.get(right)!, rank);
    }
  }

  /** The tokens of a word; a character that is none is left as it is. */
  split(word: string): string[] {
    const characters = Array.from(word);
    const tokens = this.#join(characters);
    return characters.flatMap((character, i) => {
      const token = tokens[i]!;
      if (token === JOINED) return [];
      return token === UNKNOWN ? character : this.#tokens.contents[token]!;
    });
  }

  /** A token for each character: that which begins there, or {@linkcode JOINED}. */
  #join(characters: readonly string[]): Int32Array {
    const { length } = characters;
    const tokens = Int32Array.from(characters, (each) => this.#tokens.ids.get(each) ?? UNKNOWN);
    const before = Int32Array.from(characters, (_, i) => i - 1);
    const after = Int32Array.from(characters, (_, i) => i + 1);
    // Ordered by rank, then place: one number holds both.
    const queue = new NumberHeap();
    const offer = (left: number, right: number) => {
      const rank = this.#rank(tokens[left], tokens[right]);
      if (rank !== undefined) queue.push(rank * length + left);
    };
    for (let i = 0; i + 1 < length; i++) offer(i, i + 1);
    for (let first = queue.pop(); first !== undefined; first = queue.pop()) {
      const left = first % length;
      const rank = (first - left) / length;
      const right = after[left]!;
      // One of the two may have become part of something else.
      if (this.#rank(tokens[left], tokens[right]) !== rank) continue;
      tokens[left] = this.#results[rank]!;
      tokens[right] = JOINED;
      after[left] = after[right]!;
      before[after[left]!] = left;
      offer(before[left]!, left);
      offer(left, after[left]!);
    }
    return tokens;
  }

  /** Rank of the merge of two tokens; there is none for those that are missing. */
  #rank(left = UNKNOWN, right = UNKNOWN): number | undefined {
    return left < 0 || right < 0 ? undefined : this.#ranks.get(left * MOST_TOKENS + right);
  }
}
