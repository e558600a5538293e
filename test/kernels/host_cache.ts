import type { PagedCache } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { upload } from "../support/gpu.ts";

const TABLE_WIDTH = 264;

/** What a {@linkcode HostCache} looks like. */
export interface HostCacheShape {
  /** Pages of every slot, in the order of positions. */
  readonly slots: readonly (readonly number[])[];
  readonly pageTokens: number;
  readonly heads: number;
  /** Components of a head, padding included. */
  readonly headWidth: number;
}

/** A cache of one layer on the host: to fill one for a kernel, or to expect what it wrote. */
export class HostCache {
  readonly shape: HostCacheShape;
  /** [pages, heads, pageTokens, headWidth]. */
  readonly k: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;

  /** @param filler What every place holds at first. */
  constructor(shape: HostCacheShape, filler: number) {
    this.shape = shape;
    const pages = Math.max(...shape.slots.flat()) + 1;
    const length = pages * shape.heads * shape.pageTokens * shape.headWidth;
    this.k = new Float32Array(length).fill(filler);
    this.v = new Float32Array(length).fill(filler);
  }

  /** Where the components of a head begin for a position, which goes round the slot's pages. */
  place(at: { slot: number; position: number; head: number }): number {
    const { slots, pageTokens, heads, headWidth } = this.shape;
    const pages = slots[at.slot]!;
    const page = pages[Math.floor(at.position / pageTokens) % pages.length]!;
    return ((page * heads + at.head) * pageTokens + at.position % pageTokens) * headWidth;
  }

  /** Puts a position's key and value, [heads · size] each, and zeros beyond `size` of each head. */
  put(at: { slot: number; position: number }, k: ArrayLike<number>, v: ArrayLike<number>): void {
    const { heads, headWidth } = this.shape;
    const size = k.length / heads;
    for (let head = 0; head < heads; head++) {
      const place = this.place({ ...at, head });
      for (let i = 0; i < headWidth; i++) {
        this.k[place + i] = i < size ? k[head * size + i]! : 0;
        this.v[place + i] = i < size ? v[head * size + i]! : 0;
      }
    }
  }

  /** Sends it to the device. A row of the table is wider than any slot needs. */
  upload(gpu: Gpu): PagedCache & Disposable {
    const { slots, pageTokens, heads, headWidth } = this.shape;
    // Seldom another width, with which a kernel would be compiled again.
    const width = Math.max(TABLE_WIDTH, Math.max(...slots.map(({ length }) => length)) + 2);
    const table = new Uint32Array(slots.length * width).fill(0xffff);
    slots.forEach((pages, slot) => table.set([pages.length, ...pages], slot * width));
    const shape = [this.k.length / (heads * pageTokens * headWidth), heads, pageTokens, headWidth];
    const pages = gpu.tensor("pages", [slots.length, width], { dtype: "u32", data: table });
    const [k, v] = [upload(gpu, shape, this.k), upload(gpu, shape, this.v)];
    const all = [pages, k, v];
    return { pages, k, v, [Symbol.dispose]: () => all.forEach((each) => each[Symbol.dispose]()) };
  }
}
