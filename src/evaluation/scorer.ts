import type { Gpu } from "../gpu/mod.ts";
import { pagesFor } from "../model/kv_cache.ts";
import type { Network } from "../model/network.ts";
import {
  batchesOf,
  type BlockRows,
  blocksOf,
  type NoisyText,
  type PlanLimits,
  rowsOf,
  tasksOf,
} from "./scoring_plan.ts";
import { TwoStream } from "./two_stream.ts";

/** Streams of tokens, clean or noisy, that are in the cache at a time. */
const MAX_SLOTS = 256;

/** ln p of every masked token by text, copy and position, nats; 0 for the others. */
export type LogProbabilities = readonly (readonly Float64Array[])[];

/** How far a scoring is. */
export interface ScoringProgress {
  readonly doneRows: number;
  readonly allRows: number;
}

/** What {@linkcode Scorer} needs beside a network. */
export interface ScorerOptions {
  /** Rows of a pass, unless a single block has more. */
  readonly rows: number;
}

/** What a scorer has on the device. */
export function scorerLimits(
  { config }: Pick<Network, "config">,
  { rows }: ScorerOptions,
): PlanLimits {
  const { modelLength } = config;
  // The longest text, and beside it what a pass has of a copy, in pages of its own.
  const least = pagesFor(modelLength) + Math.min(pagesFor(modelLength), pagesFor(rows) + 2);
  const pages = Math.max(least, pagesFor(rows));
  return { rows, pages, slots: Math.min(MAX_SLOTS, pages) };
}

/** Thrown when a network gives no finite numbers for a text. */
export class NotFiniteError extends Error {
  override readonly name = "NotFiniteError";
  constructor() {
    super("Cannot score: the network gave no finite numbers");
  }
}

/** Asks a network for ln p(x₀ | x_t) of the masked tokens of noisy texts. */
export class Scorer implements Disposable {
  readonly network: Network;
  readonly #limits: PlanLimits;
  readonly #device: TwoStream;

  private constructor(network: Network, limits: PlanLimits, device: TwoStream) {
    this.network = network;
    this.#limits = limits;
    this.#device = device;
  }

  /** Allocates what passes of as many rows take. */
  static async open(gpu: Gpu, network: Network, options: ScorerOptions): Promise<Scorer> {
    const limits = scorerLimits(network, options);
    // A single block may be as long as the model sees.
    const rows = Math.max(limits.rows, network.config.modelLength);
    return new Scorer(network, limits, await TwoStream.open(gpu, network, { ...limits, rows }));
  }

  /**
   * Scores texts, and stops after every pass. One scoring at a time; it may be left at any stop. The
   * numbers do not depend on which rows share a pass.
   *
   * @param options `rowsOfPass`: rows of the next pass at most, but a block's.
   * @returns What the texts' tokens have.
   * @throws {GpuError} If the device failed.
   * @throws {NotFiniteError} If the network gave no finite numbers.
   */
  async *score(
    texts: readonly NoisyText[],
    { rowsOfPass = () => this.#limits.rows }: { readonly rowsOfPass?: () => number } = {},
  ): AsyncGenerator<ScoringProgress, LogProbabilities> {
    const { config } = this.network;
    const all = texts.map(({ x0, copies }) => copies.map(() => new Float64Array(x0.length)));
    const batches = [...batchesOf(tasksOf(texts, config), texts, this.#limits)];
    const allRows = batches.reduce((sum, batch) => sum + rowsOf(batch, texts), 0);
    let doneRows = 0;
    try {
      for (const batch of batches) {
        this.#device.place(batch);
        const blocks = [...blocksOf(batch, texts, config)];
        while (blocks.length > 0) {
          const own = takePass(blocks, Math.min(rowsOfPass(), this.#limits.rows));
          keep(await this.#device.run(own), own, all);
          doneRows += own.reduce((sum, { tokens }) => sum + tokens.length, 0);
          yield { doneRows, allRows };
        }
      }
      return all;
    } finally {
      this.#device.clear();
    }
  }

  [Symbol.dispose](): void {
    this.#device[Symbol.dispose]();
  }
}

/** Takes from the front as many blocks as fit, one at least; rows of one stream side by side. */
function takePass(blocks: BlockRows[], rows: number): BlockRows[] {
  let count = 0;
  for (let left = rows; count < blocks.length; count++) {
    left -= blocks[count]!.tokens.length;
    if (left < 0 && count > 0) break;
  }
  // Neighbouring rows see the same keys, which attention loads once for all of them.
  return blocks.splice(0, count).toSorted((a, b) => a.slot - b.slot || a.position - b.position);
}

/** Puts what a pass gave where it belongs. */
function keep(
  logP: Float32Array,
  blocks: readonly BlockRows[],
  all: readonly (readonly Float64Array[])[],
): void {
  let asked = 0;
  for (const { text, copy, position, targets } of blocks) {
    for (const [i, target] of targets.entries()) {
      if (target === null || copy === null) continue;
      const value = logP[asked++]!;
      if (!Number.isFinite(value)) throw new NotFiniteError();
      all[text]![copy]![position + i] = value;
    }
  }
}
