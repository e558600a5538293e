import { BYTE_CHARACTERS, toByteAlphabet } from "./byte_alphabet.ts";

/**
 * The words that text falls into before it is tokenised.
 *
 * Source: GPT-2, `encoder.py`.
 */
const WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** What a byte-level BPE tokenizer consists of. */
export interface Bpe {
  /** Tokens, the place of each one its id: 256 bytes, then what merges give. */
  readonly tokens: readonly string[];
  /** Pairs of tokens, in the order in which they are merged. */
  readonly merges: readonly (readonly [string, string])[];
}

/** Two tokens side by side, as one number: ids stay below 2²¹. */
const RADIX = 2 ** 21;

/**
 * Learns a byte-level vocabulary: the two tokens that stand side by side most often become one,
 * over and over. Of pairs that are equally frequent, the one with the smaller ids comes first.
 *
 * Source: Sennrich et al. 2016, "Neural machine translation of rare words with subword units",
 * algorithm 1; the order of ties is that of huggingface/tokenizers.
 *
 * @param size Tokens to end with; fewer where nothing is left to merge. `onProgress` is told how many
 * there are.
 */
export function trainBpe(
  texts: Iterable<string>,
  size: number,
  { onProgress }: { readonly onProgress?: (tokens: number) => void } = {},
): Bpe {
  const trainer = new BpeTrainer(countWords(texts));
  const tokens = [...BYTE_CHARACTERS];
  const merges: [string, string][] = [];
  while (tokens.length < size) {
    const pair = trainer.next();
    if (pair === null) break;
    const [left, right] = [tokens[pair[0]]!, tokens[pair[1]]!]; // Ids that tokens have.
    merges.push([left, right]);
    trainer.merge(pair, tokens.length);
    tokens.push(left + right);
    onProgress?.(tokens.length);
  }
  return { tokens, merges };
}

function countWords(texts: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** A word as the tokens it has come to, and how often it occurs. */
interface Word {
  tokens: number[];
  readonly count: number;
}

class BpeTrainer {
  readonly #words: Word[];
  /** How often each pair occurs, and in which words it did at some time. */
  readonly #counts = new Map<number, number>();
  readonly #places = new Map<number, Set<number>>();
  readonly #queue = new PairQueue();

  constructor(words: ReadonlyMap<string, number>) {
    const ids = new Map(BYTE_CHARACTERS.map((each, id) => [each, id]));
    this.#words = [...words].map(([word, count]) => {
      const characters = [...toByteAlphabet(word)];
      return { tokens: characters.map((each) => ids.get(each)!), count };
    });
    this.#words.forEach((_, index) => this.#count(index, 1));
    for (const [pair, count] of this.#counts) this.#queue.push(pair, count);
  }

  /** The most frequent pair; `null` where there is none. */
  next(): [number, number] | null {
    for (let top = this.#queue.pop(); top !== null; top = this.#queue.pop()) {
      // What has changed since was put into the queue again.
      if (top.count !== this.#counts.get(top.pair)) continue;
      return [Math.floor(top.pair / RADIX), top.pair % RADIX];
    }
    return null;
  }

  /** Makes one token of a pair, in all words. */
  merge([left, right]: readonly [number, number], id: number): void {
    const pair = left * RADIX + right;
    const changed = new Set<number>();
    for (const index of this.#places.get(pair) ?? []) {
      const word = this.#words[index]!; // A place in the list.
      this.#count(index, -1).forEach((each) => changed.add(each));
      word.tokens = merged(word.tokens, { left, right, id });
      this.#count(index, 1).forEach((each) => changed.add(each));
    }
    this.#places.delete(pair);
    for (const each of changed) {
      const count = this.#counts.get(each) ?? 0;
      if (count > 0) this.#queue.push(each, count);
      else this.#counts.delete(each);
    }
  }

  /** Counts the pairs of a word, or takes them back; gives them. */
  #count(index: number, sign: 1 | -1): number[] {
    const { tokens, count } = this.#words[index]!; // A place in the list.
    const pairs = tokens.slice(1).map((token, i) => tokens[i]! * RADIX + token);
    for (const pair of pairs) {
      this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + sign * count);
      if (sign < 0) continue;
      const places = this.#places.get(pair) ?? new Set();
      this.#places.set(pair, places.add(index));
    }
    return pairs;
  }
}

function merged(
  tokens: readonly number[],
  { left, right, id }: { left: number; right: number; id: number },
): number[] {
  const result: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const isPair = tokens[i] === left && tokens[i + 1] === right;
    result.push(isPair ? id : tokens[i]!); // Below the length.
    if (isPair) i++;
  }
  return result;
}

interface Entry {
  readonly pair: number;
  readonly count: number;
}

/** A heap of pairs: the most frequent first, of equal ones the smallest. */
class PairQueue {
  readonly #heap: Entry[] = [];

  push(pair: number, count: number): void {
    const heap = this.#heap;
    const entry = { pair, count };
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!precedes(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  pop(): Entry | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return null;
    if (heap.length === 0) return top;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && precedes(heap[child + 1]!, heap[child]!)) child++;
      if (!precedes(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function precedes(a: Entry, b: Entry): boolean {
  return a.count > b.count || a.count === b.count && a.pair < b.pair;
}
