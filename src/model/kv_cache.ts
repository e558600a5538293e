import type { CacheFormat, PagedCache } from "../../kernels/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { WeightFormat } from "../weights/formats.ts";
import type { CacheShape } from "./network.ts";

/** Tokens of a page; a multiple of the 8 positions of a panel. */
export const PAGE_TOKENS = 32;

/** Pages that `positions` neighbouring positions take at most at a time. */
export function pagesFor(positions: number): number {
  return Math.ceil(positions / PAGE_TOKENS);
}

/** Keys and values are kept as precise as what they are computed from. */
export function cacheFormatFor(format: WeightFormat): CacheFormat {
  return format === "f32" ? "f32" : "f16";
}

/** Keys and values of all sequences on the device, in pages handed out by slot. */
export class KvCache implements Disposable {
  /** One per layer; they share the page table. */
  readonly layers: readonly PagedCache[];
  readonly pages: number;
  readonly #gpu: Gpu;
  readonly #free: number[];
  readonly #ofSlot = new Map<number, number[]>();
  readonly #tableWidth: number;

  /**
   * @param options `pages` in all layers, `maxPages` of one sequence.
   */
  constructor(
    gpu: Gpu,
    shape: CacheShape,
    options: { readonly slots: number; readonly pages: number; readonly maxPages: number },
  ) {
    this.#gpu = gpu;
    this.pages = options.pages;
    this.#free = Array.from({ length: options.pages }, (_, i) => options.pages - 1 - i);
    this.#tableWidth = 1 + options.maxPages;
    // A slot without pages still divides by their number.
    const table = new Uint32Array(options.slots * this.#tableWidth).fill(1);
    const pages = gpu.tensor("page table", [options.slots, this.#tableWidth], {
      dtype: "u32",
      data: table,
      kind: "cache",
    });
    const store = [options.pages, shape.heads, PAGE_TOKENS, shape.headWidth];
    this.layers = Array.from({ length: shape.layers }, () => ({
      pages,
      k: gpu.tensor("keys", store, { dtype: shape.format, kind: "cache" }),
      v: gpu.tensor("values", store, { dtype: shape.format, kind: "cache" }),
    }));
  }

  /** Pages that no slot holds. */
  get freePages(): number {
    return this.#free.length;
  }

  /**
   * Gives `count` pages to a slot: positions go round them.
   *
   * @throws {RangeError} If there are not as many, or the slot holds some.
   */
  reserve(slot: number, count: number): void {
    if (count > this.#free.length || this.#ofSlot.has(slot) || count >= this.#tableWidth) {
      throw new RangeError(
        `Cannot reserve pages for slot ${slot}: ${count} are asked for, ${this.#free.length} free`,
      );
    }
    const pages = this.#free.splice(this.#free.length - count);
    this.#ofSlot.set(slot, pages);
    const offset = slot * this.#tableWidth * 4;
    this.#gpu.write(this.layers[0]!.pages, Uint32Array.of(count, ...pages), offset);
  }

  /** Takes a slot's pages back. */
  release(slot: number): void {
    this.#free.push(...this.#ofSlot.get(slot) ?? []);
    this.#ofSlot.delete(slot);
  }

  [Symbol.dispose](): void {
    this.layers[0]?.pages[Symbol.dispose]();
    for (const { k, v } of this.layers) {
      k[Symbol.dispose]();
      v[Symbol.dispose]();
    }
  }
}
