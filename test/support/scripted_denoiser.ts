import { delay } from "@std/async";
import type {
  Burst,
  Denoiser,
  DenoiserLimits,
  LaneResult,
  PassPlan,
  PrefixCacheUse,
  PromptRows,
  Remains,
} from "../../src/model/denoiser.ts";
import { NO_USE } from "../../src/engine/prefix_cache_use.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { type RevealCount, ScriptedSequence } from "./scripted_sequence.ts";

/** Pages of one sequence at most: no longer context than the test model's. */
const MAX_PAGES = 130;

/** How a {@linkcode ScriptedDenoiser} behaves; what is left out is as in the test model. */
export interface DenoiserScript {
  readonly limits?: Partial<DenoiserLimits>;
  /** Positions that it can number; longer sequences are refused. */
  readonly maxPositions?: number;
  /** A pass with denoising rows takes at least this long. */
  readonly stepMs?: number;
  /** Whether blocks start where the prompt ends, or at multiples of the block size. */
  readonly grid?: "prompt" | "absolute";
  /** Positions that a step fills from the left, whatever the strategy. */
  readonly countRevealed?: RevealCount;
  /** Whether a clean block takes rows beside the next one, as it does where left out. */
  readonly isFused?: boolean;
  /** Told the passes of every burst. */
  readonly onRecord?: (passes: readonly PassPlan[]) => void;
  /** Prompt tokens from a position on that a slot finds stored; none where left out. */
  readonly countReused?: (slot: number, position: number) => number;
  /** Told what remains of a sequence. */
  readonly onClose?: (slot: number, remains: Remains | null) => void;
  /** Awaited before burst number `burst`, from 0, is read. */
  readonly beforeRead?: (burst: number) => Promise<void> | void;
}

/**
 * A denoiser without a device: token k of an answer is token k mod P of the P prompt tokens, or 97
 * where there is none. Works in the order of submission, as a device does, and throws where the
 * engine breaks the rules of {@linkcode Denoiser}.
 */
export class ScriptedDenoiser implements Denoiser {
  readonly limits: DenoiserLimits;
  readonly #script: DenoiserScript;
  /** What a slot holds stays there until the next sequence: the device knows nothing of the end. */
  readonly #slots = new Map<number, ScriptedSequence>();
  readonly #pagesOfSlot = new Map<number, number>();
  /** Those that were not read yet, in order: a server that runs for hours must not keep the rest. */
  #bursts: ScriptedBurst[] = [];
  #recorded = 0;
  #reusedTokens = 0;
  readonly #lost = new AbortController();
  #isFailing = false;
  /** When the work that was submitted is done. */
  #doneAt = 0;

  constructor(script: DenoiserScript = {}) {
    this.#script = script;
    const { slots = 8 } = script.limits ?? {};
    this.limits = {
      slots,
      pages: slots * MAX_PAGES,
      pageTokens: 32,
      rows: 512,
      passes: 32,
      promptRows: 2048,
      ...script.limits,
    };
  }

  /** Slots that a sequence holds. */
  get openSlots(): number {
    return this.#pagesOfSlot.size;
  }

  readonly memory = { weights: 1, cache: 2, scratch: 3 };

  get freePages(): number {
    return this.limits.pages - [...this.#pagesOfSlot.values()].reduce((sum, each) => sum + each, 0);
  }

  get prefixCache(): PrefixCacheUse {
    return { ...NO_USE, hitTokens: this.#reusedTokens };
  }

  firstBlockStart({ prompt, blockSize }: SequenceOptions): number {
    const isAbsolute = this.#script.grid === "absolute";
    return prompt.length - (isAbsolute ? prompt.length % blockSize : 0);
  }

  rowsFor({ blockSize }: SequenceOptions): number {
    return (this.#script.isFused ?? true) ? 2 * blockSize : blockSize;
  }

  pagesFor({ prompt, maxTokens, blockSize }: SequenceOptions): number {
    const positions = prompt.length + maxTokens + blockSize;
    return Math.min(Math.ceil(positions / this.limits.pageTokens), MAX_PAGES);
  }

  hasRoom(options: SequenceOptions): boolean {
    return this.pagesFor(options) <= this.freePages;
  }

  open(slot: number, options: SequenceOptions): void {
    expect(slot >= 0 && slot < this.limits.slots, `slot is ${slot}`);
    expect(!this.#pagesOfSlot.has(slot), `slot ${slot} is taken`);
    const end = options.prompt.length + options.maxTokens;
    expect(end <= (this.#script.maxPositions ?? Infinity), `position ${end} is too far`);
    const pages = this.pagesFor(options);
    expect(pages <= this.freePages, `${pages} pages are asked for, ${this.freePages} free`);
    this.#pagesOfSlot.set(slot, pages);
    const start = this.firstBlockStart(options);
    this.#slots.set(slot, new ScriptedSequence(options, start, this.#script.countRevealed));
  }

  reuse(slot: number, position: number): number {
    const count = this.#script.countReused?.(slot, position) ?? 0;
    if (count > 0) this.#slots.get(slot)!.skip(position, count); // The engine asks for open slots.
    this.#reusedTokens += count;
    return count;
  }

  close(slot: number, remains: Remains | null): void {
    this.#script.onClose?.(slot, remains);
    expect(this.#pagesOfSlot.delete(slot), `slot ${slot} is free`);
  }

  record(passes: readonly PassPlan[]): Burst {
    this.#checkLimits(passes);
    const number = this.#recorded++;
    this.#script.onRecord?.(passes);
    const burst: ScriptedBurst = new ScriptedBurst({
      run: () => {
        const next = this.#bursts.find((each) => !each.isSubmitted);
        expect(next === burst, "order is wrong");
        const steps = passes.filter(({ lanes }) => lanes.length > 0).length;
        const now = performance.now();
        this.#doneAt = Math.max(this.#doneAt, now) + steps * (this.#script.stepMs ?? 0);
        return passes.map((pass) => this.#runPass(pass));
      },
      wait: () => this.#wait(number, this.#doneAt),
    });
    this.#bursts.push(burst);
    return burst;
  }

  /** Makes the next denoising step of one sequence give no finite numbers. */
  failNextStep(): void {
    this.#isFailing = true;
  }

  /** Loses the device: what was not read by now is not read any more. */
  loseDevice(): void {
    this.#lost.abort(new GpuError("The device was lost"));
  }

  /**
   * Never resolves.
   *
   * @throws {GpuError} When the device is lost.
   */
  get lost(): Promise<never> {
    const { signal } = this.#lost;
    return new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  [Symbol.dispose](): void {
    this.#slots.clear();
  }

  #checkLimits(passes: readonly PassPlan[]): void {
    const { limits } = this;
    this.#bursts = this.#bursts.filter(({ isRead }) => !isRead);
    expect(this.#bursts.length < 2, `${this.#bursts.length} bursts are unread`);
    expect(passes.length > 0 && passes.length <= limits.passes, `${passes.length} passes`);
    const prompts = passes.map((pass) => countTokens(pass.prompts));
    const promptRows = prompts.reduce((sum, each) => sum + each, 0);
    expect(promptRows <= limits.promptRows, `${promptRows} prompt rows`);
    for (const [i, { lanes, prompts: chunks }] of passes.entries()) {
      const slots = [lanes, chunks.map(({ slot }) => slot)];
      expect(slots.every((each) => new Set(each).size === each.length), "a slot is named twice");
      expect(slots.flat().every((slot) => this.#pagesOfSlot.has(slot)), "a slot is free");
      const rows = lanes.map((slot) => this.rowsFor(this.#slots.get(slot)!.options));
      const sum = rows.reduce((total, each) => total + each, prompts[i]!);
      expect(sum > 0 && sum <= limits.rows, `${sum} rows in a pass`);
    }
  }

  #runPass({ lanes, prompts }: PassPlan): LaneResult[] {
    for (const rows of prompts) this.#slots.get(rows.slot)!.prefill(rows);
    return lanes.map((slot) => {
      const sequence = this.#slots.get(slot)!; // Checked when the pass was recorded.
      const isFailing = this.#isFailing && !sequence.isOver;
      if (isFailing) this.#isFailing = false;
      return { slot, ...sequence.step({ isFailing }) };
    });
  }

  async #wait(burst: number, doneAt: number): Promise<void> {
    const { signal } = this.#lost;
    signal.throwIfAborted();
    await this.#script.beforeRead?.(burst);
    if (this.#script.stepMs) {
      // A timer may fire a little early.
      for (let left = 1; left > 0; left = doneAt - performance.now()) {
        await delay(Math.max(0, left), { signal });
      }
    }
    signal.throwIfAborted();
  }
}

/** Passes that were recorded. */
class ScriptedBurst implements Burst {
  readonly #work: { run: () => LaneResult[][]; wait: () => Promise<void> };
  #results: LaneResult[][] | null = null;
  isRead = false;

  constructor(work: { run: () => LaneResult[][]; wait: () => Promise<void> }) {
    this.#work = work;
  }

  get isSubmitted(): boolean {
    return this.#results !== null;
  }

  submit(): void {
    expect(!this.isSubmitted, "a burst is submitted twice");
    this.#results = this.#work.run();
  }

  async read(): Promise<LaneResult[][]> {
    expect(this.#results !== null && !this.isRead, "a burst is read too early, or twice");
    await this.#work.wait();
    this.isRead = true;
    return this.#results!; // Submitted, as the line above has found.
  }
}

function countTokens(prompts: readonly PromptRows[]): number {
  return prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
}

/** A broken rule is a bug of the engine under test, and no answer that it could handle. */
function expect(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new RangeError(`Cannot follow the engine: ${problem}`);
}
