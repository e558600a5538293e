import { attention, ROW_WORDS, writeRow } from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../../src/gpu/mod.ts";
import { KvCache, pagesFor } from "../../src/model/kv_cache.ts";
import { noise } from "../support/noise.ts";

const KEYS = 512;
const HEADS = 12;
const HEAD = 64;

/** Attention of a block over 512 positions, itself included, in f16. */
export class AttentionBench implements Disposable {
  readonly name: string;
  /** Floating-point operations: a product for the scores, one for the values. */
  readonly flops: number;
  readonly #queries: number;
  readonly #cache: KvCache;
  readonly #q: Tensor;
  readonly #rows: Tensor;
  readonly #counts: Tensor;

  constructor(gpu: Gpu, queries: number) {
    this.name = `attention f16 KV, ${queries} queries x ${KEYS} keys, ${HEADS} heads of ${HEAD}`;
    this.flops = 4 * queries * KEYS * HEAD * HEADS;
    this.#queries = queries;
    const pages = pagesFor(KEYS);
    const shape = { layers: 1, heads: HEADS, headWidth: HEAD, format: "f16" } as const;
    this.#cache = new KvCache(gpu, shape, { slots: 1, pages, maxPages: pages });
    this.#cache.reserve(0, pages);
    for (const { k, v } of this.#cache.layers) {
      gpu.write(k, Float16Array.from(noise(k.length, 1)));
      gpu.write(v, Float16Array.from(noise(v.length, 2)));
    }
    this.#q = gpu.tensor("q", [queries, HEADS * HEAD], { data: noise(queries * HEADS * HEAD) });
    const rows = new Uint32Array(queries * ROW_WORDS);
    for (let i = 0; i < queries; i++) {
      const position = KEYS - queries + i;
      const seen = { first: 0, end: KEYS };
      writeRow(rows, i * ROW_WORDS, { token: 0, position, slot: 0, ...seen, condition: 0 });
    }
    this.#rows = gpu.tensor("rows", [rows.length], { dtype: "u32", data: rows });
    const data = Uint32Array.of(queries, queries);
    this.#counts = gpu.tensor("counts", [2], { dtype: "u32", data });
  }

  /** Records it once. */
  record(pass: Pass): void {
    const cache = this.#cache.layers[0]!; // There is one.
    const operands = { q: this.#q, rows: this.#rows, counts: this.#counts };
    attention(pass, { ...operands, cache, headSize: HEAD, together: this.#queries })
      [Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const each of [this.#cache, this.#q, this.#rows, this.#counts]) each[Symbol.dispose]();
  }
}
