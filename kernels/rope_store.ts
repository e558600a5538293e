import type { Tensor } from "../src/gpu/mod.ts";
import type { CacheFormat, PagedCache } from "./attention.ts";
import f16Store from "./cache_formats/f16_store.wgsl" with { type: "text" };
import f32Store from "./cache_formats/f32_store.wgsl" with { type: "text" };
import source from "./epilogues/rope_store.wgsl" with { type: "text" };
import { NEAR_POSITIONS, type RotaryTables } from "./rotary.ts";
import rowFields from "./rows.wgsl" with { type: "text" };

/** Where the columns for q, k and v go: q and k are rotated, k and v stored in the cache. */
export interface RopeStore {
  /** Rows of the pass: their position and slot. */
  readonly rows: Tensor;
  readonly cache: PagedCache;
  readonly rotary: RotaryTables;
}

/** The fragment's sources by the format of the cache. */
export const ROPE_STORES: Readonly<Record<CacheFormat, readonly string[]>> = {
  f32: [source, rowFields, f32Store],
  f16: [source, rowFields, f16Store],
};

/** What a kernel with the fragment is dispatched with. */
export interface RopeStoreOperands {
  readonly format: CacheFormat;
  /** Query heads, and key/value heads. */
  readonly heads: number;
  readonly sharedHeads: number;
  /** Components of a head, padding included. */
  readonly head: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly constants: Readonly<Record<string, number>>;
}

/**
 * What a kernel with the fragment is dispatched with for so many columns.
 *
 * @throws {TypeError} If they are not the keys and values of a token and a whole number of queries for
 * each.
 */
export function ropeStoreOperands(
  { rows, cache: { pages, k, v }, rotary }: RopeStore,
  columns: number,
): RopeStoreOperands {
  const [, sharedHeads = 0, page = 0, head = 0] = k.shape;
  const heads = columns / head - 2 * sharedHeads;
  if (heads < sharedHeads || heads % sharedHeads !== 0) {
    throw new TypeError(
      `Cannot store keys: q, k and v take ${columns} columns, expected ` +
        `${3 * sharedHeads * head} for ${sharedHeads} heads, or more queries for each`,
    );
  }
  return {
    format: k.dtype === "f16" ? "f16" : "f32",
    heads,
    sharedHeads,
    head,
    tensors: { rows, pages, near: rotary.near, far: rotary.far, k, v },
    constants: {
      HEADS: heads,
      KV_HEADS: sharedHeads,
      HEAD: head,
      PAGE: page,
      TABLE: pages.shape[1]!,
      NEAR: NEAR_POSITIONS,
    },
  };
}
