import {
  type Head,
  HEAD_WORDS,
  logProb,
  type Row,
  ROW_WORDS,
  writeHead,
  writeRow,
} from "../../kernels/mod.ts";
import { type Gpu, type Pass, Readback, type Tensor } from "../gpu/mod.ts";
import { headParts } from "../model/head_parts.ts";
import { KvCache } from "../model/kv_cache.ts";
import type { Network } from "../model/network.ts";
import type { Batch, BlockRows } from "./scoring_plan.ts";

// Nothing is drawn here.
const NO_DRAW: Omit<Head, "row"> = { offset: 0, temperature: 0, topP: 1, topK: 0, uniform: 0 };

/** What {@linkcode TwoStream} has room for. */
export interface TwoStreamSizes {
  readonly slots: number;
  readonly pages: number;
  /** Rows of the largest pass. */
  readonly rows: number;
}

/**
 * Passes over [x_t, x_0] on the device. Clean rows store their keys in a slot of the cache, where
 * noisy rows see those of the blocks before theirs; their own block they see in a slot of their own.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", section 3.3 and suppl. B.6.
 */
export class TwoStream implements Disposable {
  readonly #gpu: Gpu;
  readonly #network: Network;
  readonly #cache: KvCache;
  readonly #tables: Readonly<
    Record<"rows" | "heads" | "targets" | "counts" | "sigma" | "logP", Tensor>
  >;
  readonly #readback: Readback;
  #batch: Batch = { tasks: [], pages: [] };

  private constructor(
    gpu: Gpu,
    network: Network,
    { slots, pages, rows, readback }: TwoStreamSizes & { readonly readback: Readback },
  ) {
    this.#gpu = gpu;
    this.#network = network;
    this.#readback = readback;
    this.#cache = new KvCache(gpu, network.cacheShape, { slots, pages, maxPages: pages });
    const words = (name: string, count: number) => gpu.tensor(name, [count], { dtype: "u32" });
    this.#tables = {
      rows: words("rows", rows * ROW_WORDS),
      heads: words("heads", rows * HEAD_WORDS),
      targets: words("targets", rows),
      counts: words("counts", 2),
      sigma: gpu.tensor("sigma", [slots]),
      logP: gpu.tensor("log probabilities", [rows]),
    };
  }

  /** Allocates cache and tables. */
  static async open(gpu: Gpu, network: Network, sizes: TwoStreamSizes): Promise<TwoStream> {
    const readback = await Readback.open(gpu, 4 * sizes.rows);
    return new TwoStream(gpu, network, { ...sizes, readback });
  }

  /** Gives the cache to a batch; the one before must be done. */
  place(batch: Batch): void {
    this.clear();
    this.#batch = batch;
    batch.pages.forEach((pages, slot) => this.#cache.reserve(slot, pages));
    this.#gpu.write(this.#tables.sigma, Float32Array.from(batch.tasks, ({ sigma }) => sigma));
  }

  /** Takes the cache back. */
  clear(): void {
    this.#batch.pages.forEach((_, slot) => this.#cache.release(slot));
    this.#batch = { tasks: [], pages: [] };
  }

  /**
   * Runs one pass.
   *
   * @returns ln p of the tokens that the blocks ask for, in their order, nats.
   * @throws {GpuError} If the device failed.
   */
  async run(blocks: readonly BlockRows[]): Promise<Float32Array> {
    const { bound, headBound } = this.#writeTables(blocks);
    const { rows, heads, counts, sigma, logP } = this.#tables;
    const conditions = this.#batch.tasks.length;
    const together = leastRowsOfASlot(blocks);
    const inputs = {
      ...{ rows, counts, bound, together, sigma, conditions },
      cache: this.#cache.layers,
    };
    const pass = this.#gpu.pass();
    using normalized = this.#network.forward(pass, { ...inputs, heads, headBound });
    if (!normalized) {
      pass.submit();
      return new Float32Array();
    }
    this.#ask(pass, normalized, headBound);
    const bytes = 4 * headBound;
    pass.submit([{ from: logP, to: this.#readback.buffer, bytes }]);
    return new Float32Array(await this.#readback.read(bytes));
  }

  [Symbol.dispose](): void {
    for (const each of [this.#cache, this.#readback, ...Object.values(this.#tables)]) {
      each[Symbol.dispose]();
    }
  }

  /** Records ln p of the targets, a part of the logits at a time. */
  #ask(pass: Pass, normalized: Tensor, headBound: number): void {
    const { targets, counts, logP } = this.#tables;
    const { vocabSize: vocabulary, maskToken } = this.#network.config;
    for (const part of headParts(headBound, this.#network.config)) {
      using logits = this.#network.logits(pass, normalized, { counts, ...part });
      const firstHead = part.skip;
      logProb(pass, { logits, targets, counts, logP, firstHead, vocabulary, maskToken });
    }
  }

  #writeTables(blocks: readonly BlockRows[]): { bound: number; headBound: number } {
    const bound = blocks.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const rows = new Uint32Array(bound * ROW_WORDS);
    const heads = new Uint32Array(bound * HEAD_WORDS);
    const targets = new Uint32Array(bound);
    let row = 0;
    let headBound = 0;
    for (const block of blocks) {
      for (const [i, token] of block.tokens.entries()) {
        writeRow(rows, row * ROW_WORDS, rowOf(block, { token, position: block.position + i }));
        const target = block.targets[i]!;
        if (target !== null) {
          writeHead(heads, headBound * HEAD_WORDS, { row, ...NO_DRAW });
          targets[headBound++] = target;
        }
        row += 1;
      }
    }
    this.#gpu.write(this.#tables.rows, rows);
    this.#gpu.write(this.#tables.heads, heads.subarray(0, headBound * HEAD_WORDS));
    this.#gpu.write(this.#tables.targets, targets.subarray(0, headBound));
    this.#gpu.write(this.#tables.counts, Uint32Array.of(bound, headBound));
    return { bound, headBound };
  }
}

/** How many rows the slot with the fewest has. */
function leastRowsOfASlot(blocks: readonly BlockRows[]): number {
  const rows = new Map<number, number>();
  for (const { slot, tokens } of blocks) rows.set(slot, (rows.get(slot) ?? 0) + tokens.length);
  return Math.min(...rows.values());
}

function rowOf(
  { tokens, position: start, slot, pastSlot, condition }: BlockRows,
  at: { readonly token: number; readonly position: number },
): Row {
  const shared = { ...at, slot, condition, end: start + tokens.length };
  return pastSlot === null
    ? { ...shared, first: 0 }
    : { ...shared, first: start, past: { slot: pastSlot, end: start } };
}
