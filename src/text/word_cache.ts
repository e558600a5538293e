/**
 * Remembers how words were split. Stands in for the library's own cache, which, once full, takes
 * some 25 µs to find a word: seconds for a long prompt.
 */
export class WordCache {
  readonly #capacity: number;
  readonly #words = new Map<string, string[]>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(word: string): string[] | undefined {
    return this.#words.get(word);
  }

  /** Forgets all words when one more would be too many: cheap, and the common ones soon return. */
  put(word: string, tokens: string[]): void {
    if (this.#words.size >= this.#capacity) this.clear();
    this.#words.set(word, tokens);
  }

  clear(): void {
    this.#words.clear();
  }
}
