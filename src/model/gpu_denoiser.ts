import {
  DETAIL_WORDS,
  HEAD_WORDS,
  inspect,
  MAX_POSITIONS,
  plan,
  PROPOSAL_WORDS,
  propose,
  report,
  reveal,
  ROW_WORDS,
} from "../../kernels/mod.ts";
import { type Gpu, type Pass, Readback, type Tensor } from "../gpu/mod.ts";
import { BurstTables } from "./burst_tables.ts";
import type { Burst, Denoiser, DenoiserLimits, DeviceMemory, PassPlan } from "./denoiser.ts";
import { headParts } from "./head_parts.ts";
import { KvCache, PAGE_TOKENS, pagesFor } from "./kv_cache.ts";
import type { Network } from "./network.ts";
import { RowForecast } from "./row_forecast.ts";
import {
  firstBlock,
  firstBlockStart,
  packSequence,
  SEQUENCE_WORDS,
  type SequenceOptions,
} from "./sequence_state.ts";

/** Passes recorded into one submission at most. */
const MAX_PASSES = 32;
/** Prompt rows that ride in one pass at most, and rows of small models' passes. */
const MIN_ROWS = 512;

/** Sizes of a {@linkcode GpuDenoiser}, which follow from the model and the number of sequences. */
export function denoiserLimits(
  { config }: Pick<Network, "config">,
  { slots }: { readonly slots: number },
): DenoiserLimits & { readonly maxPages: number } {
  const { modelLength, blockSize, blockSizes } = config;
  const largest = blockSizes.at(-1)!;
  const maxPages = pagesFor(modelLength + largest);
  return {
    slots,
    maxPages,
    // Every slot may slide with the trained block size; one at least with the largest.
    pages: Math.max(slots * pagesFor(modelLength + blockSize), maxPages),
    pageTokens: PAGE_TOKENS,
    // All slots may commit a block of the trained size and denoise the next in one pass.
    rows: Math.max(MIN_ROWS, 2 * largest, 2 * slots * blockSize),
    passes: MAX_PASSES,
    promptRows: 4 * Math.max(MIN_ROWS, largest),
  };
}

/** Where a pass is recorded to. */
interface Recording {
  readonly pass: Pass;
  readonly tables: BurstTables;
}

/** Dispatches of the passes of a burst, by what these have room for. */
type Recorded = Map<string, { readonly begin: number; readonly end: number }>;

/** Network, cache and sampler on the device. */
export class GpuDenoiser implements Denoiser {
  readonly limits: DenoiserLimits;
  readonly cache: KvCache;
  readonly #gpu: Gpu;
  readonly #network: Network;
  readonly #maxBlock: number;
  readonly #state: Readonly<
    Record<
      "sequences" | "tokens" | "rows" | "heads" | "counts" | "sigma" | "proposals" | "details",
      Tensor
    >
  >;
  readonly #tables: readonly BurstTables[];
  /** Sequences by slot, and what their next passes take. */
  readonly #open = new Map<number, { options: SequenceOptions; forecast: RowForecast }>();
  #recorded = 0;

  private constructor(
    gpu: Gpu,
    network: Network,
    parts: {
      limits: ReturnType<typeof denoiserLimits>;
      readbacks: readonly Readback[];
    },
  ) {
    const { limits, readbacks } = parts;
    const { slots } = limits;
    this.#gpu = gpu;
    this.#network = network;
    this.limits = limits;
    this.#maxBlock = network.config.blockSizes.at(-1)!;
    this.cache = new KvCache(gpu, network.cacheShape, limits);
    const words = (name: string, count: number) => gpu.tensor(name, [count], { dtype: "u32" });
    this.#state = {
      sequences: words("sequences", slots * SEQUENCE_WORDS),
      tokens: words("tokens", slots * 2 * this.#maxBlock),
      rows: words("rows", limits.rows * ROW_WORDS),
      heads: words("heads", limits.rows * HEAD_WORDS),
      counts: words("counts", 2),
      sigma: gpu.tensor("sigma", [2 * slots + 1]),
      proposals: words("proposals", limits.rows * PROPOSAL_WORDS),
      details: words("details", limits.rows * DETAIL_WORDS),
    };
    this.#tables = readbacks.map((readback) =>
      new BurstTables(gpu, { limits, readback, maskToken: network.config.maskToken })
    );
  }

  /** Allocates cache and state for `slots` sequences. */
  static async open(
    gpu: Gpu,
    network: Network,
    { slots }: { readonly slots: number },
  ): Promise<GpuDenoiser> {
    const limits = denoiserLimits(network, { slots });
    const bytes = BurstTables.journalBytes(limits);
    const readbacks = [await Readback.open(gpu, bytes), await Readback.open(gpu, bytes)];
    return new GpuDenoiser(gpu, network, { limits, readbacks });
  }

  get freePages(): number {
    return this.cache.freePages;
  }

  get memory(): DeviceMemory {
    const { weights, cache, state, scratch } = this.#gpu.bytes;
    return { weights, cache, scratch: state + scratch };
  }

  firstBlockStart(options: SequenceOptions): number {
    return firstBlockStart(options, this.#network.config.decoding);
  }

  rowsFor({ blockSize }: SequenceOptions): number {
    return this.#network.config.decoding.shiftsLogits ? blockSize : 2 * blockSize;
  }

  pagesFor(options: SequenceOptions): number {
    const { prompt, maxTokens, blockSize } = options;
    const blocks = Math.ceil((prompt.length + maxTokens) / blockSize);
    // Positions go round the pages once the window slides: a block and all that it sees, and the
    // block before it, which is committed in the same pass.
    return pagesFor(Math.min(blocks * blockSize, this.#network.config.modelLength + blockSize));
  }

  open(slot: number, options: SequenceOptions): void {
    const { config } = this.#network;
    const reach = options.prompt.length + options.maxTokens + options.blockSize;
    if (reach > MAX_POSITIONS) {
      throw new RangeError(
        `Cannot open a sequence: it may reach position ${reach}, expected ${MAX_POSITIONS} at most`,
      );
    }
    const { sequences, tokens } = this.#state;
    const { maskToken, decoding: rules, modelLength: window } = config;
    const sequence = packSequence(options, { window, rules });
    this.cache.reserve(slot, this.pagesFor(options));
    this.#open.set(slot, { options, forecast: new RowForecast(options, rules) });
    this.#gpu.write(sequences, sequence, slot * SEQUENCE_WORDS * 4);
    const offset = firstBlockStart(options, rules) % (2 * options.blockSize);
    const place = slot * 2 * this.#maxBlock + offset;
    this.#gpu.write(tokens, firstBlock(options, { maskToken, rules }), place * 4);
  }

  close(slot: number): void {
    this.cache.release(slot);
    this.#open.delete(slot);
  }

  record(passes: readonly PassPlan[]): Burst {
    const tables = this.#tables[this.#recorded++ % this.#tables.length]!;
    const pass = this.#gpu.pass();
    const segments = tables.fill(passes, {
      optionsOf: (slot) => this.#openIn(slot).options,
      window: this.#network.config.modelLength,
    });
    const recorded: Recorded = new Map();
    segments.forEach((segment, i) =>
      this.#recordPass({ pass, tables, recorded }, { segment, ...passes[i]! })
    );
    const submit = pass.encode([tables.journalCopy]);
    return {
      submit: () => {
        tables.upload();
        submit();
      },
      read: () => tables.read(),
    };
  }

  /**
   * Submits passes without a row, for their kernels to be compiled: those of one sequence with the
   * usual block and strategy.
   */
  warmUp(): void {
    const tables = this.#tables[0]!;
    const [segment = 0] = tables.fill([{ lanes: [], prompts: [] }], {
      optionsOf: () => ({ blockSize: 0 }),
      window: 0,
    });
    tables.upload();
    const { blockSize, decoding } = this.#network.config;
    for (const bound of decoding.shiftsLogits ? [blockSize] : [blockSize, 2 * blockSize]) {
      const pass = this.#gpu.pass();
      const sizes = { lanes: 0, bound, headBound: 1, isDetailed: false };
      this.#recordRows({ pass, tables }, { segment, ...sizes });
      pass.submit();
    }
  }

  [Symbol.dispose](): void {
    this.cache[Symbol.dispose]();
    for (const each of [...Object.values(this.#state), ...this.#tables]) each[Symbol.dispose]();
  }

  /** One pass from the plan to the tokens; nothing in it waits for the host. */
  #recordPass(
    { pass, tables, recorded }: Recording & { readonly recorded: Recorded },
    { segment, lanes, prompts }: PassPlan & { readonly segment: number },
  ): void {
    // The device knows how many rows live; the host only how many there can be.
    const bounds = lanes.map((slot) => this.#openIn(slot).forecast.next());
    const promptRows = prompts.reduce((sum, each) => sum + each.tokens.length, 0);
    const bound = bounds.reduce((sum, each) => sum + each.rows, promptRows);
    const headBound = bounds.reduce((sum, each) => sum + each.heads, 0);
    const isDetailed = lanes.some((slot) => this.#openIn(slot).options.isDetailed);
    const sizes = { lanes: lanes.length, bound, headBound, isDetailed };
    // With as much room, only the place of its table in the burst differs.
    const key = JSON.stringify(sizes);
    const like = recorded.get(key);
    if (like) return pass.repeat(like.begin, like.end, { segment });
    const begin = pass.dispatches;
    this.#recordRows({ pass, tables }, { segment, ...sizes });
    recorded.set(key, { begin, end: pass.dispatches });
  }

  /** A pass with as many rows and heads at most. */
  #recordRows(
    { pass, tables: { burst, journal } }: Recording,
    { segment, lanes, bound, headBound, isDetailed }: {
      readonly segment: number;
      readonly lanes: number;
      readonly bound: number;
      readonly headBound: number;
      /** Whether a sequence of the pass asks for details. */
      readonly isDetailed: boolean;
    },
  ): void {
    const { sequences, tokens, rows, heads, counts, sigma, proposals, details } = this.#state;
    const { maskToken, decoding } = this.#network.config;
    const model = {
      maxBlock: this.#maxBlock,
      maskToken,
      isScheduled: decoding.quota === "schedule",
      isShifted: decoding.shiftsLogits,
    };
    const common = { burst, sequences, tokens, heads, counts, segment, lanes, ...model };
    plan(pass, { ...common, rows, sigma });
    const conditions = 2 * lanes + 1;
    const inputs = { rows, counts, bound, sigma, conditions, cache: this.cache.layers };
    using normalized = this.#network.forward(pass, { ...inputs, heads, headBound });
    if (normalized) this.#propose(pass, { normalized, headBound, isDetailed });
    if (isDetailed) report(pass, { ...common, details, journal });
    reveal(pass, { ...common, proposals, journal });
  }

  #propose(
    pass: Pass,
    { normalized, headBound, isDetailed }: {
      readonly normalized: Tensor;
      readonly headBound: number;
      readonly isDetailed: boolean;
    },
  ): void {
    const { heads, counts, proposals, details } = this.#state;
    const { vocabSize: vocabulary, maskToken, decoding } = this.#network.config;
    const model = { vocabulary, maskToken, keepsCrossing: decoding.keepsCrossing };
    for (const part of headParts(headBound, this.#network.config)) {
      using logits = this.#network.logits(pass, normalized, { counts, ...part });
      const common = { logits, counts, proposals, firstHead: part.skip };
      propose(pass, { ...common, heads, ...model });
      if (isDetailed) inspect(pass, { ...common, details, vocabulary, maskToken });
    }
  }

  #openIn(slot: number): { options: SequenceOptions; forecast: RowForecast } {
    const opened = this.#open.get(slot);
    if (!opened) throw new RangeError(`Cannot record a pass: slot ${slot} is free, expected open`);
    return opened;
  }
}
