import type { PageStore } from "../../src/model/sequence_pages.ts";

/** Tokens of a page. */
const PAGE = 32;

/** Pages without a device: what was stored at a position is a word. Throws where pages get mixed up. */
export class ScriptedPages implements PageStore {
  /** Copies so far: page and its copy. */
  readonly copies: [number, number | undefined][] = [];
  readonly #free: number[];
  readonly #words = new Map<number, (string | undefined)[]>();
  readonly #tables = new Map<number, readonly number[]>();

  constructor(pages: number) {
    this.#free = Array.from({ length: pages }, (_, i) => i);
  }

  get freePages(): number {
    return this.#free.length;
  }

  take(count: number): number[] {
    if (count > this.#free.length) throw new RangeError("Cannot take pages: there are too few");
    return this.#free.splice(0, count);
  }

  giveBack(pages: readonly number[]): void {
    for (const page of pages) {
      if (this.#free.includes(page)) throw new RangeError(`Cannot give ${page} back: it is free`);
      this.#free.push(page);
    }
  }

  place(slot: number, pages: readonly number[]): void {
    this.#tables.set(slot, [...pages]);
  }

  copy(from: readonly number[], to: readonly number[]): void {
    from.forEach((page, i) => {
      this.copies.push([page, to[i]]);
      this.#words.set(to[i]!, [...this.#words.get(page) ?? []]);
    });
  }

  /** Pages of a slot. */
  table(slot: number): readonly number[] {
    return this.#tables.get(slot) ?? [];
  }

  /** Stores a word at a position of a slot. */
  write(slot: number, position: number, word: string): void {
    const words = this.#words.get(this.#pageAt(slot, position)) ?? [];
    words[position % PAGE] = word;
    this.#words.set(this.#pageAt(slot, position), words);
  }

  /** What is stored at a position of a slot. */
  read(slot: number, position: number): string | undefined {
    return this.#words.get(this.#pageAt(slot, position))?.[position % PAGE];
  }

  #pageAt(slot: number, position: number): number {
    const pages = this.table(slot);
    return pages[Math.floor(position / PAGE) % pages.length]!;
  }
}
