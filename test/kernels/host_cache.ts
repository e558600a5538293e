import type { CacheFormat, PagedCache } from "../../kernels/mod.ts";
import type { Gpu, Tensor } from "../../src/gpu/mod.ts";

/** Entries of a page table: enough for all but long contexts. */
const TABLE_WIDTH = 100;
/** Tokens whose components lie together. */
const PANEL = 8;
/** Of the vectors in a panel. */
const VECTOR_BYTES = 16;

/** What a {@linkcode HostCache} looks like. */
export interface HostCacheShape {
  /** Pages of every slot, in the order of positions. */
  readonly slots: readonly (readonly number[])[];
  readonly pageTokens: number;
  readonly heads: number;
  /** Components of a head, padding included. */
  readonly headWidth: number;
  /** f32 where left out. */
  readonly format?: CacheFormat;
}

/** A cache of one layer on the host: to fill one for a kernel, or to expect what it wrote. */
export class HostCache {
  readonly shape: HostCacheShape;
  /** As on the device: [pages, heads, panels of a page, headWidth / v, 8 tokens, v]. */
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

  /**
   * Puts a position's key and value, [heads · size] each, and zeros beyond `size` of each head. The
   * position goes round the slot's pages.
   */
  put(at: { slot: number; position: number }, k: ArrayLike<number>, v: ArrayLike<number>): void {
    const { slots, pageTokens, heads, headWidth, format = "f32" } = this.shape;
    const size = k.length / heads;
    const pages = slots[at.slot]!;
    const page = pages[Math.floor(at.position / pageTokens) % pages.length]!;
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < headWidth; i++) {
        const component = { page, head, token: at.position % pageTokens, i };
        const place = placeInCache({ heads, pageTokens, headWidth, format }, component);
        this.k[place] = i < size ? k[head * size + i]! : 0;
        this.v[place] = i < size ? v[head * size + i]! : 0;
      }
    }
  }

  /** Sends it to the device. A row of the table is wider than any slot needs. */
  upload(gpu: Gpu): PagedCache & Disposable {
    const { slots, pageTokens, heads, headWidth, format = "f32" } = this.shape;
    // Seldom another width, with which a kernel would be compiled again.
    const width = Math.max(TABLE_WIDTH, Math.max(...slots.map(({ length }) => length)) + 2);
    const table = new Uint32Array(slots.length * width).fill(0xffff);
    slots.forEach((pages, slot) => table.set([pages.length, ...pages], slot * width));
    const shape = [this.k.length / (heads * pageTokens * headWidth), heads, pageTokens, headWidth];
    const pages = gpu.tensor("pages", [slots.length, width], { dtype: "u32", data: table });
    const [k, v] = [this.k, this.v].map((values) => {
      const data = format === "f16" ? new Float16Array(values) : values;
      return gpu.tensor("test", shape, { dtype: format, data });
    }) as [Tensor, Tensor]; // map() forgets the length.
    const all = [pages, k, v];
    return { pages, k, v, [Symbol.dispose]: () => all.forEach((each) => each[Symbol.dispose]()) };
  }
}

/** Where a component of a key or value lies, counted in elements. */
export function placeInCache(
  shape: { heads: number; pageTokens: number; headWidth: number; format: CacheFormat },
  { page, head, token, i }: { page: number; head: number; token: number; i: number },
): number {
  const { heads, pageTokens, headWidth, format } = shape;
  const vector = VECTOR_BYTES / (format === "f16" ? 2 : 4);
  const panel = (page * heads + head) * (pageTokens / PANEL) + Math.floor(token / PANEL);
  const row = panel * (headWidth / vector) + Math.floor(i / vector);
  return (row * PANEL + token % PANEL) * vector + i % vector;
}

/** Reads keys or values, in the order they lie in. */
export async function readStore(gpu: Gpu, store: Tensor): Promise<Float32Array> {
  const data = await gpu.read(store);
  return store.dtype === "f16" ? Float32Array.from(new Float16Array(data)) : new Float32Array(data);
}

/** Heads of `size` components as q and k hold them: components that turn together side by side. */
export function pair(values: ArrayLike<number>, size: number): Float32Array {
  const paired = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const i = at % size;
    paired[at] = values[at - i + Math.floor(i / 2) + i % 2 * size / 2]!;
  }
  return paired;
}

/** Heads of `size` components in their natural order again. */
export function unpair(values: ArrayLike<number>, size: number): Float32Array {
  const natural = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const i = at % size;
    natural[at - i + Math.floor(i / 2) + i % 2 * size / 2] = values[at]!;
  }
  return natural;
}
