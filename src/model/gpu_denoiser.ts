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
import type {
  Burst,
  Denoiser,
  DenoiserLimits,
  DeviceMemory,
  PassPlan,
  PrefixCacheUse,
  Remains,
} from "./denoiser.ts";
import { denoiserLimits } from "./denoiser_limits.ts";
import { headParts } from "./head_parts.ts";
import { KvCache } from "./kv_cache.ts";
import type { Network } from "./network.ts";
import { pageDemand } from "./page_demand.ts";
import { type OpenSequence, type PassRoom, roomFor } from "./pass_room.ts";
import { RowForecast } from "./row_forecast.ts";
import { SequencePages } from "./sequence_pages.ts";
import {
  firstBlock,
  firstBlockStart,
  packSequence,
  SEQUENCE_WORDS,
  type SequenceOptions,
} from "./sequence_state.ts";

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
  readonly #pages: SequencePages;
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
  readonly #open = new Map<number, OpenSequence>();
  #recorded = 0;

  private constructor(
    gpu: Gpu,
    network: Network,
    parts: {
      limits: ReturnType<typeof denoiserLimits>;
      readbacks: readonly Readback[];
      prefixCache: boolean;
    },
  ) {
    const { limits, readbacks, prefixCache } = parts;
    const { slots } = limits;
    this.#gpu = gpu;
    this.#network = network;
    this.limits = limits;
    this.#maxBlock = network.config.blockSizes.at(-1)!;
    this.cache = new KvCache(gpu, network.cacheShape, limits);
    this.#pages = new SequencePages(this.cache, { keeps: prefixCache });
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

  /** Allocates cache and state for `slots` sequences, and keeps for others what they have stored. */
  static async open(
    gpu: Gpu,
    network: Network,
    { slots, prefixCache = true }: { readonly slots: number; readonly prefixCache?: boolean },
  ): Promise<GpuDenoiser> {
    const limits = denoiserLimits(network, { slots });
    const bytes = BurstTables.journalBytes(limits);
    const readbacks = [await Readback.open(gpu, bytes), await Readback.open(gpu, bytes)];
    return new GpuDenoiser(gpu, network, { limits, readbacks, prefixCache });
  }

  get freePages(): number {
    return this.#pages.freePages;
  }

  get prefixCache(): PrefixCacheUse {
    return this.#pages.kept;
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
    return pageDemand(options, this.#network.config).count;
  }

  hasRoom(options: SequenceOptions): boolean {
    return this.#pages.hasRoom(pageDemand(options, this.#network.config));
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
    this.#pages.open(slot, pageDemand(options, config));
    this.#open.set(slot, { options, forecast: new RowForecast(options, rules) });
    this.#gpu.write(sequences, sequence, slot * SEQUENCE_WORDS * 4);
    const offset = firstBlockStart(options, rules) % (2 * options.blockSize);
    const place = slot * 2 * this.#maxBlock + offset;
    this.#gpu.write(tokens, firstBlock(options, { maskToken, rules }), place * 4);
  }

  reuse(slot: number, position: number): number {
    return this.#pages.reuse(slot, position);
  }

  close(slot: number, remains: Remains | null): void {
    const { options } = this.#openIn(slot);
    // A network that is told the noise level stores other keys for what it has generated.
    const end = this.#network.config.timeConditioning ? this.firstBlockStart(options) : undefined;
    this.#pages.close(slot, remains && { ...remains, tokens: remains.tokens.slice(0, end) });
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
    const stored = passes.flatMap(({ prompts }) => prompts).map(({ slot, position, tokens }) =>
      this.#pages.storing(slot, position + tokens.length)
    );
    return {
      submit: () => {
        tables.upload();
        submit();
        for (const share of stored) share();
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
      const room = { lanes: 0, bound, headBound: 1, together: bound, isDetailed: false };
      this.#recordRows({ pass, tables }, { segment, ...room });
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
    { segment, ...plan }: PassPlan & { readonly segment: number },
  ): void {
    const room = roomFor(plan, (slot) => this.#openIn(slot));
    // With as much room, only the place of its table in the burst differs.
    const key = JSON.stringify(room);
    const like = recorded.get(key);
    if (like) return pass.repeat(like.begin, like.end, { segment });
    const begin = pass.dispatches;
    this.#recordRows({ pass, tables }, { segment, ...room });
    recorded.set(key, { begin, end: pass.dispatches });
  }

  /** A pass with as many rows and heads at most. */
  #recordRows(
    { pass, tables: { burst, journal } }: Recording,
    { segment, lanes, together, bound, headBound, isDetailed }: PassRoom & {
      readonly segment: number;
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
    const inputs = {
      ...{ rows, counts, bound, together, sigma, conditions },
      cache: this.cache.layers,
    };
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

  #openIn(slot: number): OpenSequence {
    const opened = this.#open.get(slot);
    if (!opened) throw new RangeError(`Cannot use slot ${slot}: it is free, expected open`);
    return opened;
  }
}
