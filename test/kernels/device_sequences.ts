import {
  DETAIL_WORDS,
  type Head,
  HEAD_WORDS,
  inspect,
  journalWords,
  plan,
  PROPOSAL_WORDS,
  propose,
  readDetails,
  readProposal,
  report,
  reveal,
  type Row,
  ROW_WORDS,
  writeHead,
  writeRow,
} from "../../kernels/mod.ts";
import type { Gpu, Tensor } from "../../src/gpu/mod.ts";
import {
  firstBlock,
  firstBlockStart,
  packSequence,
  SEQUENCE_WORDS,
  type SequenceOptions,
} from "../../src/model/sequence_state.ts";
import type { DecodingRules } from "../../src/model/decoding_rules.ts";
import type { KvCache } from "../../src/model/kv_cache.ts";
import type { Network } from "../../src/model/network.ts";
import { BD3LM_RULES } from "../support/decoding_rules.ts";
import { uploadWords } from "../support/gpu.ts";
import { sequenceWord } from "../support/sequence_words.ts";
import {
  type DetailedProposal,
  type Entry,
  GAP,
  type PartialProposal,
  readEntry,
  readHead,
  readRow,
  UNTOUCHED,
  writeDetails,
  writeProposals,
} from "./device_words.ts";

export type { Entry, PartialProposal } from "./device_words.ts";

/** The mask token of all tests. */
export const MASK = 999;
/** Rows that fit: more than any test needs. */
const MOST_ROWS = 8192;

/** What the device planned for one pass. */
export interface Planned {
  readonly rows: readonly Row[];
  readonly heads: readonly Head[];
  /** Noise levels: two a lane, then the prompts'. */
  readonly sigma: Float32Array;
}

/** Sequences on the device, moved by the kernels alone: no network, the test proposes. */
export class DeviceSequences implements Disposable {
  readonly #gpu: Gpu;
  readonly #maxBlock: number;
  readonly #model: {
    readonly window: number;
    readonly maskToken: number;
    readonly rules: DecodingRules;
  };
  readonly #tensors: Record<
    "sequences" | "tokens" | "rows" | "heads" | "counts" | "proposals" | "details" | "sigma",
    Tensor
  >;
  readonly #open = new Map<number, SequenceOptions>();
  #lanes: readonly number[] = [];
  #burst: Tensor | undefined;

  /** @param options `window` in tokens; `rules` are BD3-LM's where left out. */
  constructor(
    gpu: Gpu,
    options: {
      slots: number;
      maxBlock: number;
      window: number;
      maskToken?: number;
      rules?: DecodingRules;
    },
  ) {
    const { slots, maxBlock, window, maskToken = MASK, rules = BD3LM_RULES } = options;
    this.#gpu = gpu;
    this.#maxBlock = maxBlock;
    this.#model = { window, maskToken, rules };
    const words = (length: number) => uploadWords(gpu, new Uint32Array(length));
    this.#tensors = {
      sequences: words(slots * SEQUENCE_WORDS),
      tokens: words(slots * 2 * maxBlock),
      rows: words(MOST_ROWS * ROW_WORDS),
      heads: words(MOST_ROWS * HEAD_WORDS),
      counts: words(2),
      proposals: words(MOST_ROWS * PROPOSAL_WORDS),
      details: words(MOST_ROWS * DETAIL_WORDS),
      sigma: gpu.tensor("sigma", [2 * slots + 1]),
    };
  }

  /** Puts a sequence into a slot. */
  open(slot: number, options: SequenceOptions): void {
    const { sequences, tokens } = this.#tensors;
    this.#open.set(slot, options);
    const { rules } = this.#model;
    const words = packSequence(options, this.#model);
    this.#gpu.write(sequences, words, slot * SEQUENCE_WORDS * 4);
    const offset = firstBlockStart(options, rules) % (2 * options.blockSize);
    const place = slot * 2 * this.#maxBlock + offset;
    this.#gpu.write(tokens, firstBlock(options, this.#model), place * 4);
  }

  /** Plans a pass of the sequences in `lanes`, with `prompts` beside them. */
  async plan(lanes: readonly number[], prompts: readonly Row[] = []): Promise<Planned> {
    this.#lanes = lanes;
    this.#burst?.[Symbol.dispose]();
    this.#burst = uploadWords(this.#gpu, this.#table(lanes, prompts));
    const { proposals: _, details: __, ...tensors } = this.#tensors;
    const pass = this.#gpu.pass();
    plan(pass, { ...tensors, ...this.#common(this.#burst) });
    pass.submit();
    const [counts, rows, heads, sigma] = await Promise.all(
      [tensors.counts, tensors.rows, tensors.heads, tensors.sigma].map((each) =>
        this.#gpu.read(each)
      ),
    );
    const [rowCount = 0, headCount = 0] = new Uint32Array(counts!);
    return {
      rows: Array.from({ length: rowCount }, (_, i) => readRow(rows!, i)),
      heads: Array.from({ length: headCount }, (_, i) => readHead(heads!, i)),
      sigma: new Float32Array(sigma!),
    };
  }

  /**
   * Runs a network on the rows of the pass, and draws for `heads`: the planned ones, or others.
   *
   * @returns What it proposes for them; {@linkcode reveal} goes by these heads then.
   */
  async propose(
    network: Network,
    { cache, heads, banned }: {
      cache: KvCache;
      heads: readonly Head[];
      /** Token that is never drawn. */
      banned: number;
    },
  ): Promise<DetailedProposal[]> {
    const { rows, counts, sigma, proposals, details } = this.#tensors;
    const { config: { vocabSize: vocabulary, decoding: { keepsCrossing } } } = network;
    const [bound = 0] = new Uint32Array(await this.#gpu.read(counts));
    this.writeHeads(heads);
    const conditions = 2 * this.#lanes.length + 1;
    const inputs = {
      ...{ rows, counts, bound, together: 1 },
      sigma,
      conditions,
      cache: cache.layers,
    };
    const table = this.#tensors.heads;
    const pass = this.#gpu.pass();
    using normalized = network.forward(pass, { ...inputs, heads: table, headBound: heads.length })!;
    const part = { counts, skip: 0, rows: heads.length };
    using logits = network.logits(pass, normalized, part);
    const model = { vocabulary, maskToken: banned };
    const common = { logits, counts, proposals, firstHead: 0, ...model };
    propose(pass, { ...common, heads: table, keepsCrossing });
    inspect(pass, { ...common, details });
    pass.submit();
    const [data, words] = await Promise.all(
      [proposals, details].map((each) => this.#gpu.read(each)),
    );
    return heads.map((_, i) => ({
      ...readProposal(data!, i),
      details: readDetails(new Uint32Array(words!), i * DETAIL_WORDS),
    }));
  }

  /** Puts heads in the place of those that were planned. */
  writeHeads(heads: readonly Head[]): void {
    const words = new Uint32Array(heads.length * HEAD_WORDS);
    heads.forEach((head, i) => writeHead(words, i * HEAD_WORDS, head));
    this.#gpu.write(this.#tensors.heads, words);
    this.#gpu.write(this.#tensors.counts, Uint32Array.of(heads.length), 4);
  }

  /**
   * Ends the pass with one proposal for each of its heads.
   *
   * @returns The journal's entries by lane, and the counts that the next pass finds.
   */
  async reveal(
    proposed: readonly PartialProposal[],
  ): Promise<{ entries: readonly Entry[]; counts: readonly number[] }> {
    const { rows: _, sigma: __, details, ...tensors } = this.#tensors;
    this.#gpu.write(tensors.proposals, writeProposals(proposed));
    this.#gpu.write(details, writeDetails(proposed));
    const stride = this.#journalStride;
    const empty = new Uint32Array(this.#lanes.length * stride + GAP).fill(UNTOUCHED);
    using journal = uploadWords(this.#gpu, empty);
    const pass = this.#gpu.pass();
    // The plan before has made the table.
    const common = this.#common(this.#burst!);
    report(pass, { ...tensors, ...common, details, journal });
    reveal(pass, { ...tensors, ...common, journal });
    pass.submit();
    const [words, counts] = await Promise.all(
      [journal, tensors.counts].map(async (each) => new Uint32Array(await this.#gpu.read(each))),
    );
    const entries = this.#lanes.map((slot, lane) => {
      const at = GAP + lane * stride;
      // A slot that was never opened is idle.
      const options = this.#open.get(slot) ?? { blockSize: 0 };
      return readEntry(words!.slice(at - GAP, at + stride), options);
    });
    return { entries, counts: [...counts!] };
  }

  /** A field of a sequence, as a whole number. */
  async field(slot: number, name: string): Promise<number> {
    const words = new Uint32Array(await this.#gpu.read(this.#tensors.sequences));
    return words[slot * SEQUENCE_WORDS + sequenceWord(name)]!;
  }

  [Symbol.dispose](): void {
    for (const each of Object.values(this.#tensors)) each[Symbol.dispose]();
    this.#burst?.[Symbol.dispose]();
  }

  get #journalStride(): number {
    return journalWords(this.#maxBlock, { isDetailed: true }) + GAP;
  }

  #common(burst: Tensor) {
    const { maskToken, rules } = this.#model;
    return {
      ...{ burst, segment: GAP, lanes: this.#lanes.length, maxBlock: this.#maxBlock, maskToken },
      isScheduled: rules.quota === "schedule",
      isShifted: rules.shiftsLogits,
    };
  }

  #table(lanes: readonly number[], prompts: readonly Row[]): number[] {
    const promptWords = new Uint32Array(prompts.length * ROW_WORDS);
    prompts.forEach((row, i) => writeRow(promptWords, i * ROW_WORDS, row));
    return [
      ...Array(GAP).fill(UNTOUCHED),
      lanes.length,
      prompts.length,
      ...lanes.flatMap((slot, lane) => [slot, GAP + lane * this.#journalStride]),
      ...promptWords,
    ];
  }
}
