import { HEAD_WORDS, ROW_WORDS, writeHead, writeRow } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { Bd3lm } from "../../src/model/bd3lm.ts";
import { readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { loadBd3lm } from "../../src/model/bd3lm_load.ts";
import { KvCache, pagesFor } from "../../src/model/kv_cache.ts";
import type { HeadInputs, PassInputs } from "../../src/model/network.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";

/** Rows of one sequence for a forward pass. */
export interface Rows {
  readonly tokens: ArrayLike<number>;
  /** Position of the first; the others follow. */
  readonly position: number;
  readonly blockSize: number;
  /** Tokens that the network sees at once: its window. */
  readonly window: number;
  readonly slot?: number;
}

/** Loads a BD3-LM from a directory. */
export function loadNetwork(
  gpu: Gpu,
  directory: string,
  options: { format: WeightFormat },
): Bd3lm {
  using checkpoint = Checkpoint.open(directory);
  return loadBd3lm(gpu, checkpoint, { config: readBd3lmConfig(checkpoint), ...options });
}

/** Runs passes of explicit rows through the product's network, for tests. */
export class ForwardHarness implements Disposable {
  readonly cache: KvCache;
  readonly network: Bd3lm;
  readonly #gpu: Gpu;

  /** @param options `positions` that one slot can hold at a time. */
  constructor(gpu: Gpu, network: Bd3lm, options: { slots?: number; positions: number }) {
    const { slots = 1, positions } = options;
    this.#gpu = gpu;
    this.network = network;
    const pages = pagesFor(positions);
    this.cache = new KvCache(gpu, network.cacheShape, {
      slots,
      pages: slots * pages,
      maxPages: pages,
    });
    for (let slot = 0; slot < slots; slot++) this.cache.reserve(slot, pages);
  }

  /** The tables of one pass. */
  inputs(groups: readonly Rows[], sigma = 0): PassInputs & HeadInputs & Disposable {
    const total = groups.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const words = new Uint32Array(total * ROW_WORDS);
    const headWords = new Uint32Array(total * HEAD_WORDS);
    let row = 0;
    for (const { tokens, position, blockSize, window, slot = 0 } of groups) {
      for (let i = 0; i < tokens.length; i++, row++) {
        const block = Math.floor((position + i) / blockSize);
        writeRow(words, row * ROW_WORDS, {
          token: tokens[i]!,
          position: position + i,
          slot,
          first: Math.max(0, block - window / blockSize + 1) * blockSize,
          end: (block + 1) * blockSize,
          condition: 0,
        });
        const draw = { temperature: 1, topP: 1, topK: 0, uniform: 0.5 };
        writeHead(headWords, row * HEAD_WORDS, { row, offset: i, ...draw });
      }
    }
    const u32 = (name: string, data: Uint32Array<ArrayBuffer>) =>
      this.#gpu.tensor(name, [data.length], { dtype: "u32", data });
    const tensors = {
      rows: u32("rows", words),
      heads: u32("heads", headWords),
      counts: u32("counts", Uint32Array.of(total, total)),
      sigma: this.#gpu.tensor("sigma", [1], { data: Float32Array.of(sigma) }),
    };
    return {
      ...tensors,
      bound: total,
      headBound: total,
      conditions: 1,
      cache: this.cache.layers,
      [Symbol.dispose]: () => Object.values(tensors).forEach((each) => each[Symbol.dispose]()),
    };
  }

  /** Raw logits of all rows, [rows, vocabulary]. */
  async logits(groups: readonly Rows[], sigma = 0): Promise<Float32Array> {
    using inputs = this.inputs(groups, sigma);
    const pass = this.#gpu.pass();
    using hidden = this.network.forward(pass, inputs);
    using normalized = this.network.normalize(pass, hidden, inputs);
    const part = { counts: inputs.counts, skip: 0, rows: inputs.bound };
    using logits = this.network.logits(pass, normalized, part);
    pass.submit();
    const padded = new Float32Array(await this.#gpu.read(logits));
    return unpad(padded, logits.shape[1]!, this.network.config.vocabSize);
  }

  [Symbol.dispose](): void {
    this.cache[Symbol.dispose]();
  }
}

/** The first `width` of every `stride` values. */
export function unpad(values: Float32Array, stride: number, width: number): Float32Array {
  return values.filter((_, i) => i % stride < width);
}
