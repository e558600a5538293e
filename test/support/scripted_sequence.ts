import { Block, type Proposal } from "../../src/diffusion/block.ts";
import { quota } from "../../src/diffusion/quota.ts";
import { uniformAt } from "../../src/diffusion/random.ts";
import { firstHitting } from "../../src/diffusion/remasking/first_hitting.ts";
import { sequential } from "../../src/diffusion/remasking/sequential.ts";
import type { LaneResult, PromptRows } from "../../src/model/denoiser.ts";
import { type SequenceOptions, stepsOf } from "../../src/model/sequence_state.ts";
import { scriptedDetails } from "./scripted_details.ts";

/** Stands for what is not known yet; not an id of any model. */
const MASK = -1;

/** How many of the masked positions a step fills, given the schedule's quota. */
export type RevealCount = (masked: number, quota: number) => number;

/**
 * A sequence as the device keeps it: fills block after block, and stops by itself. The further right
 * in its block, the more confident a token is.
 */
export class ScriptedSequence {
  readonly options: SequenceOptions;
  readonly #countRevealed: RevealCount | undefined;
  readonly #promptEnd: number;
  #prefilled = 0;
  /** Position of the current block. */
  #start: number;
  #block: Block;
  #step = 0;
  #isOver = false;

  /** @param start Position of the first block. */
  constructor(options: SequenceOptions, start: number, countRevealed?: RevealCount) {
    this.options = options;
    this.#countRevealed = countRevealed;
    this.#promptEnd = start;
    this.#start = start;
    const tail = options.prompt.slice(start);
    this.#block = new Block([...tail, ...masks(options.blockSize - tail.length)], MASK);
  }

  /** Whether nothing more comes. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Takes prompt tokens into the cache.
   *
   * @throws {RangeError} If they are not the ones that come next.
   */
  prefill({ position, tokens }: PromptRows): void {
    const end = position + tokens.length;
    const wanted = this.options.prompt.slice(this.#prefilled, end);
    if (position !== this.#prefilled || end > this.#promptEnd || wanted.join() !== tokens.join()) {
      throw new RangeError(`Cannot prefill: rows start at ${position}, not ${this.#prefilled}`);
    }
    this.#prefilled = end;
  }

  /**
   * Finds the next prompt tokens in the cache.
   *
   * @throws {RangeError} If there are not as many.
   */
  skip(position: number, count: number): void {
    this.prefill({
      slot: 0,
      position,
      tokens: this.options.prompt.slice(position, position + count),
      blockSize: this.options.blockSize,
    });
  }

  /**
   * One denoising step.
   *
   * @throws {RangeError} If a part of the prompt is missing.
   */
  step({ isFailing }: { readonly isFailing: boolean }): Omit<LaneResult, "slot"> {
    if (this.#prefilled !== this.#promptEnd) {
      throw new RangeError(
        `Cannot denoise: ${this.#prefilled} prompt tokens of ${this.#promptEnd}`,
      );
    }
    if (this.#isOver) return this.#result("idle");
    if (isFailing) {
      this.#isOver = true;
      return this.#result("failed");
    }
    const { blockSize, prompt, maxTokens, stopTokens } = this.options;
    if (this.#block.masked().length === 0) {
      this.#start += blockSize;
      this.#block = new Block(masks(blockSize), MASK);
      this.#step = 0;
    }
    const before = this.#block;
    this.#block = this.#reveal();
    this.#step += 1;
    const isLast = this.#start + blockSize >= prompt.length + maxTokens;
    const generated = this.#block.tokens.slice(Math.max(0, prompt.length - this.#start));
    const hasStop = generated.some((token) => stopTokens.includes(token));
    this.#isOver = this.#block.masked().length === 0 && (isLast || hasStop);
    return this.#result("denoised", before);
  }

  #result(status: LaneResult["status"], before = this.#block): Omit<LaneResult, "slot"> {
    const { tokens } = this.#block;
    const isRevealed = (j: number) => tokens[j] !== before.tokens[j];
    return {
      status,
      start: this.#start,
      step: this.#step,
      nfe: this.#step,
      masked: this.#block.masked().length,
      isOver: this.#isOver,
      tokens: tokens.map((token) => token === MASK ? null : token),
      confidence: tokens.map((_, j) => isRevealed(j) ? (j + 1) / tokens.length : 0),
      ...(this.options.isDetailed && {
        details: tokens.map((token, j) => isRevealed(j) ? scriptedDetails(token, j) : null),
      }),
    };
  }

  #reveal(): Block {
    const { seed, choice, strategy: { strategy } } = this.options;
    const positions = this.#block.tokens.map((_, j) => this.#start + j);
    const tokens = positions.map((position) => this.#tokenAt(position));
    const proposal: Proposal = { tokens, confidence: [], entropy: [] };
    if (strategy === "first_hitting" && !this.#countRevealed) {
      const at = { choice, stream: "order", step: 0 } as const;
      const order = positions.map((position) => uniformAt(seed, { ...at, position }));
      return firstHitting(this.#block, proposal, { step: this.#step, quota: 1, order });
    }
    const step = { step: this.#step, quota: this.#count(), order: [] };
    return sequential(this.#block, proposal, step);
  }

  /** Positions that fall in this step. */
  #count(): number {
    const masked = this.#block.masked().length;
    const wanted = quota(masked, stepsOf(this.options) - this.#step);
    if (this.#countRevealed) return this.#countRevealed(masked, wanted);
    switch (this.options.strategy.strategy) {
      case "low_confidence_dynamic":
      case "entropy_bounded":
        return Math.max(wanted, Math.ceil(masked / 2));
      default:
        return wanted;
    }
  }

  #tokenAt(position: number): number {
    const { prompt } = this.options;
    const k = position - prompt.length;
    if (k < 0) return prompt[position]!;
    return prompt.length === 0 ? 97 : prompt[k % prompt.length]!;
  }
}

function masks(count: number): number[] {
  return Array(count).fill(MASK);
}
