import {
  type CacheFormat,
  embed,
  HEAD_WORDS,
  ROW_WORDS,
  writeHead,
  writeRow,
} from "../../kernels/mod.ts";
import type { Gpu, Tensor } from "../../src/gpu/mod.ts";
import { Bd3lm } from "../../src/model/bd3lm.ts";
import type { Modulation } from "../../src/model/bd3lm_conditioning.ts";
import { readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { loadBd3lm } from "../../src/model/bd3lm_load.ts";
import { KvCache, pagesFor } from "../../src/model/kv_cache.ts";
import type { HeadInputs, Network, PassInputs } from "../../src/model/network.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { align, type WeightFormat } from "../../src/weights/formats.ts";

/** Rows of one sequence for a forward pass. */
export interface Rows {
  readonly tokens: ArrayLike<number>;
  /** Position of the first; the others follow. */
  readonly position: number;
  readonly blockSize: number;
  /** Tokens that the network sees at once: its window. */
  readonly window: number;
  readonly slot?: number;
  /** Where the clean text before these blocks is, each of which then sees itself alone in `slot`. */
  readonly pastSlot?: number;
  /** Noise level of the rows; 0 where left out. */
  readonly sigma?: number;
}

/** Rows, and where the first of them goes in a tensor of the rows of many passes. */
export interface PlacedRows extends Rows {
  readonly place: number;
}

/** Tables of one pass, for the trunk and for the head of every row. */
export type HarnessInputs = PassInputs & HeadInputs;

/** Where a pass stands between two layers. */
export interface LayerState {
  /** The layer that comes next; the number of layers behind the last one. */
  readonly index: number;
  /** [rows, width] f32 hidden states, padding included. */
  readonly x: Tensor;
  readonly inputs: HarnessInputs;
  readonly modulation: Modulation;
}

/**
 * Loads a BD3-LM from a directory.
 *
 * @param how `takesSigma` computes the conditioning in every pass, whatever the config says; keys
 * and values are as precise as the weights where `cacheFormat` is left out.
 */
export function loadNetwork(
  gpu: Gpu,
  directory: string,
  how: { format: WeightFormat; takesSigma?: boolean; cacheFormat?: CacheFormat },
): Bd3lm {
  const { format, takesSigma = false, cacheFormat } = how;
  using checkpoint = Checkpoint.open(directory);
  const config = readBd3lmConfig(checkpoint);
  const timeConditioning = config.timeConditioning || takesSigma;
  const options = { config: { ...config, timeConditioning }, format };
  return loadBd3lm(gpu, checkpoint, { ...options, ...(cacheFormat && { cacheFormat }) });
}

/** Runs passes of explicit rows through the product's network, for tests. */
export class ForwardHarness<N extends Network = Bd3lm> implements Disposable {
  readonly cache: KvCache;
  readonly network: N;
  readonly #gpu: Gpu;
  /** Tables by name, kept from pass to pass: the device keeps bind groups of what it has seen. */
  readonly #tables = new Map<string, Tensor>();

  /** @param options `positions` that one slot can hold at a time. */
  constructor(gpu: Gpu, network: N, options: { slots?: number; positions: number }) {
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

  /** The tables of one pass, valid until the next call. Every group has its own noise level. */
  inputs(groups: readonly Rows[]): HarnessInputs {
    const total = groups.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const rows = new Uint32Array(total * ROW_WORDS);
    const heads = new Uint32Array(total * HEAD_WORDS);
    let row = 0;
    for (const [condition, group] of groups.entries()) {
      const { tokens, position, blockSize, window, slot = 0, pastSlot } = group;
      for (let i = 0; i < tokens.length; i++, row++) {
        const block = Math.floor((position + i) / blockSize);
        const oldest = Math.max(0, block - Math.floor(window / blockSize) + 1);
        const start = block * blockSize;
        writeRow(rows, row * ROW_WORDS, {
          token: tokens[i]!,
          position: position + i,
          slot,
          ...(pastSlot === undefined
            ? { first: oldest * blockSize }
            : { first: start, past: { slot: pastSlot, end: start } }),
          end: start + blockSize,
          condition,
        });
        const draw = { temperature: 1, topP: 1, topK: 0, uniform: 0.5 };
        writeHead(heads, row * HEAD_WORDS, { row, offset: i, ...draw });
      }
    }
    return {
      rows: this.#table("rows", rows),
      heads: this.#table("heads", heads),
      counts: this.#table("counts", Uint32Array.of(total, total)),
      sigma: this.#table("sigma", Float32Array.from(groups, ({ sigma = 0 }) => sigma)),
      bound: total,
      together: Math.min(...groups.map(({ tokens }) => tokens.length)),
      headBound: total,
      conditions: groups.length,
      cache: this.cache.layers,
    };
  }

  /** Raw logits of all rows, [rows, vocabulary]. */
  async logits(groups: readonly Rows[]): Promise<Float32Array> {
    const inputs = this.inputs(groups);
    const pass = this.#gpu.pass();
    using normalized = this.network.forward(pass, inputs)!; // There are heads.
    const part = { counts: inputs.counts, skip: 0, rows: inputs.bound };
    using logits = this.network.logits(pass, normalized, part);
    pass.submit();
    const padded = await this.#read(logits);
    return unpad(padded, logits.shape[1]!, this.network.config.vocabSize);
  }

  /**
   * Runs the trunk one layer at a time and stops before each and after the last. What a step reads
   * of `x` it reads before it asks for the next.
   */
  async *layers(
    this: ForwardHarness,
    groups: readonly Rows[],
  ): AsyncGenerator<LayerState> {
    const { weights, config } = this.network;
    const inputs = this.inputs(groups);
    const first = this.#gpu.pass();
    using modulation = weights.conditioning.modulate(first, inputs);
    using x = embed(first, { ...inputs, embedding: weights.embedding });
    first.submit();
    for (let index = 0; index <= config.layers; index++) {
      yield { index, x, inputs, modulation };
      if (index === config.layers) return;
      const pass = this.#gpu.pass();
      this.network.layer(pass, index, { ...inputs, x, modulation });
      pass.submit();
    }
  }

  /** Hidden states of all rows, [rows, hidden size]: the embeddings, then after every layer. */
  async hidden(this: ForwardHarness, groups: readonly Rows[]): Promise<Float32Array[]> {
    const states: Float32Array[] = [];
    const { hiddenSize } = this.network.config;
    for await (const { x } of this.layers(groups)) {
      states.push(unpad(await this.#read(x), align(hiddenSize), hiddenSize));
    }
    return states;
  }

  [Symbol.dispose](): void {
    this.cache[Symbol.dispose]();
    for (const table of this.#tables.values()) table[Symbol.dispose]();
  }

  async #read(tensor: Tensor): Promise<Float32Array> {
    return new Float32Array(await this.#gpu.read(tensor)).subarray(0, tensor.length);
  }

  #table(name: string, data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Tensor {
    const kept = this.#tables.get(name);
    if (kept && kept.length >= data.length) {
      this.#gpu.write(kept, data);
      return kept;
    }
    kept?.[Symbol.dispose]();
    const dtype = data instanceof Float32Array ? "f32" : "u32";
    const made = this.#gpu.tensor(name, [data.length], { dtype, data });
    this.#tables.set(name, made);
    return made;
  }
}

/** The first `width` of every `stride` values. */
export function unpad(values: Float32Array, stride: number, width: number): Float32Array {
  return values.filter((_, i) => i % stride < width);
}

/** A clean sequence and a noisy one, as long. */
export interface TwoStreams {
  readonly x0: readonly number[];
  readonly xt: readonly number[];
}

/**
 * The passes that show the network every block of `xt` after the blocks of `x0` before it, as the
 * sampler does: a clean block is committed beside the next noisy one. Rows of `xt` are placed from
 * `place` on, rows of `x0` behind them.
 */
export function blockPasses(
  { x0, xt }: TwoStreams,
  { place = 0, ...settings }: Omit<Rows, "tokens" | "position"> & { readonly place?: number },
): PlacedRows[][] {
  const { blockSize } = settings;
  const blocks = xt.length / blockSize;
  const rowsOf = (tokens: readonly number[], block: number, from: number): PlacedRows[] => {
    if (block < 0 || block === blocks) return [];
    const position = block * blockSize;
    const own = tokens.slice(position, position + blockSize);
    return [{ ...settings, tokens: own, position, place: from + position }];
  };
  return Array.from(
    { length: blocks + 1 },
    (_, i) => [...rowsOf(x0, i - 1, place + xt.length), ...rowsOf(xt, i, place)],
  );
}

/** Puts the rows of a pass, `width` values each, into the rows of all passes. */
export function placeRows(
  all: Float32Array,
  groups: readonly PlacedRows[],
  { values, width }: { readonly values: Float32Array; readonly width: number },
): void {
  let done = 0;
  for (const { tokens, place } of groups) {
    const length = tokens.length * width;
    all.set(values.subarray(done, done + length), place * width);
    done += length;
  }
}
