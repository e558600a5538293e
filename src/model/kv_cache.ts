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

  /** Pages that nobody has. */
  get freePages(): number {
    return this.#free.length;
  }

  /**
   * Hands out free pages.
   *
   * @throws {RangeError} If there are not as many.
   */
  take(count: number): number[] {
    if (count > this.#free.length) {
      throw new RangeError(
        `Cannot take pages: ${count} are asked for, ${this.#free.length} are free`,
      );
    }
    return this.#free.splice(this.#free.length - count);
  }

  /** Takes pages back. */
  giveBack(pages: readonly number[]): void {
    this.#free.push(...pages);
  }

  /**
   * Lets the positions of a slot go round some pages, from the next submission on.
   *
   * @throws {RangeError} If they are more than a slot can have.
   */
  place(slot: number, pages: readonly number[]): void {
    if (pages.length >= this.#tableWidth) {
      throw new RangeError(
        `Cannot give pages to slot ${slot}: they are ${pages.length}, expected at most ` +
          `${this.#tableWidth - 1}`,
      );
    }
    const offset = slot * this.#tableWidth * 4;
    this.#gpu.write(this.layers[0]!.pages, Uint32Array.of(pages.length, ...pages), offset);
  }

  /** Copies pages to others, in order with submissions. */
  copy(from: readonly number[], to: readonly number[]): void {
    const [first] = this.layers;
    if (!first || from.length === 0) return;
    const size = first.k.sizeBytes / this.pages;
    // A buffer cannot be copied to itself.
    const { buffer, giveBack } = this.#gpu.takeScratch(from.length * size);
    const encoder = this.#gpu.device.createCommandEncoder();
    for (const { buffer: store } of this.layers.flatMap(({ k, v }) => [k, v])) {
      from.forEach((page, i) =>
        encoder.copyBufferToBuffer(store, page * size, buffer, i * size, size)
      );
      to.forEach((page, i) =>
        encoder.copyBufferToBuffer(buffer, i * size, store, page * size, size)
      );
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
    giveBack();
  }

  /**
   * Gives `count` pages to a slot for good.
   *
   * @throws {RangeError} If there are not as many, or the slot holds some.
   */
  reserve(slot: number, count: number): void {
    if (this.#ofSlot.has(slot)) {
      throw new RangeError(`Cannot reserve pages for slot ${slot}: it has some, expected none`);
    }
    const pages = this.take(count);
    this.#ofSlot.set(slot, pages);
    this.place(slot, pages);
  }

  /** Takes a slot's pages back that were reserved. */
  release(slot: number): void {
    this.giveBack(this.#ofSlot.get(slot) ?? []);
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
