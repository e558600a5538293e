import {
  DETAIL_WORDS,
  JOURNAL_HEADER,
  journalWords,
  readDetails,
  ROW_WORDS,
  STATUS,
  writeRow,
} from "../../kernels/mod.ts";
import type { Copy, Gpu, Readback, Tensor } from "../gpu/mod.ts";
import type { DenoiserLimits, LaneResult, PassPlan, PromptRows } from "./denoiser.ts";
import type { SequenceOptions } from "./sequence_state.ts";

/** What the size of a sequence's entries depends on. */
type EntryOptions = Pick<SequenceOptions, "blockSize" | "isDetailed">;

/** Place of one lane's result in the journal. */
interface Entry extends EntryOptions {
  readonly slot: number;
  readonly at: number;
}

const STATUS_NAMES = {
  [STATUS.idle]: "idle",
  [STATUS.denoised]: "denoised",
  [STATUS.committed]: "committed",
} as const;

/** What the host tells the device about a burst, and the journal that comes back. */
export class BurstTables implements Disposable {
  /** Per pass: lanes, prompt rows, (slot, journal place) a lane, prompt rows (plan.wgsl). */
  readonly burst: Tensor;
  readonly journal: Tensor;
  readonly #gpu: Gpu;
  readonly #readback: Readback;
  readonly #words: Uint32Array<ArrayBuffer>;
  #used = 0;
  #journalWords = 0;
  #entries: Entry[][] = [];

  readonly #maskToken: number;

  constructor(
    gpu: Gpu,
    parts: { limits: DenoiserLimits; readback: Readback; maskToken: number },
  ) {
    const { limits, readback, maskToken } = parts;
    this.#maskToken = maskToken;
    const { passes, slots, promptRows } = limits;
    this.#gpu = gpu;
    this.#readback = readback;
    this.#words = new Uint32Array(passes * (2 + 2 * slots) + promptRows * ROW_WORDS);
    this.burst = gpu.tensor("burst", [this.#words.length], { dtype: "u32" });
    const words = BurstTables.journalBytes(limits) / 4;
    this.journal = gpu.tensor("journal", [words], { dtype: "u32" });
  }

  /** Bytes of the longest journal. */
  static journalBytes({ passes, slots, rows }: DenoiserLimits): number {
    // A pass has fewer denoising rows than rows, so the blocks of its lanes fit in as many words.
    return 4 * passes * (slots * journalWords(0) + journalWords(rows, { isDetailed: true }));
  }

  /** Copies the journal to the readback, at the end of the submission. */
  get journalCopy(): Copy {
    const bytes = Math.max(4, this.#journalWords * 4);
    return { from: this.journal, to: this.#readback.buffer, bytes };
  }

  /**
   * Lays out the tables of a burst.
   *
   * @returns Word at which each pass's table begins.
   */
  fill(
    passes: readonly PassPlan[],
    model: { optionsOf: (slot: number) => EntryOptions; window: number },
  ): number[] {
    this.#used = 0;
    this.#journalWords = 0;
    this.#entries = passes.map(({ lanes }) =>
      lanes.map((slot) => {
        const { blockSize, isDetailed = false } = model.optionsOf(slot);
        const entry = { slot, at: this.#journalWords, blockSize, isDetailed };
        this.#journalWords += journalWords(blockSize, entry);
        return entry;
      })
    );
    return passes.map(({ prompts }, i) => {
      const segment = this.#used;
      const entries = this.#entries[i]!;
      const rows = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
      this.#push([entries.length, rows, ...entries.flatMap(({ slot, at }) => [slot, at])]);
      for (const prompt of prompts) this.#pushPrompt(prompt, model.window);
      return segment;
    });
  }

  /** Sends the tables to the device. */
  upload(): void {
    this.#gpu.write(this.burst, this.#words.subarray(0, this.#used));
  }

  /**
   * Waits for the journal.
   *
   * @throws {GpuError} If the device failed.
   */
  async read(): Promise<LaneResult[][]> {
    const words = new Uint32Array(await this.#readback.read(Math.max(4, this.#journalWords * 4)));
    return this.#entries.map((entries) => entries.map((entry) => this.#readEntry(words, entry)));
  }

  [Symbol.dispose](): void {
    for (const each of [this.burst, this.journal, this.#readback]) each[Symbol.dispose]();
  }

  #readEntry(
    words: Uint32Array<ArrayBuffer>,
    { slot, at, blockSize, isDetailed }: Entry,
  ): LaneResult {
    const [status = 0, start = 0, step = 0, nfe = 0, masked = 0, over = 0] = words.subarray(at);
    const first = at + JOURNAL_HEADER;
    const block = words.subarray(first, first + blockSize);
    const tokens = Array.from(block, (token) => token === this.#maskToken ? null : token);
    const floats = new Float32Array(words.buffer, 4 * (first + blockSize), blockSize);
    const confidence = [...floats];
    const name = STATUS_NAMES[status as keyof typeof STATUS_NAMES] ?? "failed";
    const isOver = over === 1;
    const result = { slot, status: name, start, step, nfe, masked, isOver, tokens, confidence };
    if (!isDetailed) return result;
    // No token is drawn with a probability of 0.
    const details = confidence.map((each, j) =>
      each === 0 ? null : readDetails(words, first + 2 * blockSize + j * DETAIL_WORDS)
    );
    return { ...result, details };
  }

  #push(words: readonly number[]): void {
    if (this.#used + words.length > this.#words.length) {
      throw new RangeError(`Cannot fill a burst: its tables exceed ${this.#words.length} words`);
    }
    this.#words.set(words, this.#used);
    this.#used += words.length;
  }

  #pushPrompt({ slot, position, tokens, blockSize }: PromptRows, window: number): void {
    const row = new Uint32Array(ROW_WORDS);
    tokens.forEach((token, i) => {
      const block = Math.floor((position + i) / blockSize);
      const first = Math.max(0, block - Math.floor(window / blockSize) + 1) * blockSize;
      const end = (block + 1) * blockSize;
      // The device sets the condition: prompts are clean.
      writeRow(row, 0, { token, position: position + i, slot, first, end, condition: 0 });
      this.#push([...row]);
    });
  }
}
