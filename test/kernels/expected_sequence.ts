import { Block, type Proposal } from "../../src/diffusion/block.ts";
import { quota } from "../../src/diffusion/quota.ts";
import { type Stream, uniformAt } from "../../src/diffusion/random.ts";
import { fallStep } from "../../src/diffusion/remasking/ancestral.ts";
import { reveal } from "../../src/diffusion/remasking/mod.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { type Entry, MASK } from "./device_sequences.ts";

/** What a pass should hold of one sequence. */
export interface ExpectedPlan {
  /** Tokens of the clean block that is committed, and where it begins; `null` without one. */
  readonly commit: { readonly start: number; readonly tokens: readonly number[] } | null;
  readonly start: number;
  readonly tokens: readonly number[];
  /** Offsets in the block that the head runs for. */
  readonly heads: readonly number[];
  /** Noise levels of the commit and of the block. */
  readonly sigma: readonly [number, number];
}

/** The largest noise level of BD3-LM. */
const SIGMA_MAX = -Math.log(1e-3);

/** A sequence as the device should move it, in float64 and in whole blocks. */
export class ExpectedSequence {
  readonly options: SequenceOptions;
  start: number;
  block: Block;
  step = 0;
  nfe = 0;
  time = 1;
  commitTime = 0;
  isOver = false;
  #clean: ExpectedPlan["commit"] = null;

  constructor(options: SequenceOptions) {
    const { prompt, blockSize } = options;
    this.options = options;
    this.start = prompt.length - prompt.length % blockSize;
    const tail = prompt.slice(this.start);
    this.block = new Block([...tail, ...Array(blockSize - tail.length).fill(MASK)], MASK);
  }

  /** Masks left. */
  get masked(): number {
    return this.block.masked().length;
  }

  /** A number of the sequence's streams. */
  uniform(stream: Stream, position: number, step: number): number {
    const { seed, choice } = this.options;
    return uniformAt(seed, { choice, stream, position, step });
  }

  /** Moves to the next block if this one is clean, and sets the time of the next step. */
  plan(): ExpectedPlan {
    const { blockSize } = this.options;
    this.#clean = null;
    if (this.masked === 0) {
      this.#clean = { start: this.start, tokens: this.block.tokens };
      this.start += blockSize;
      this.block = new Block(Array(blockSize).fill(MASK), MASK);
      this.step = 0;
      this.nfe = 0;
      this.commitTime = this.time;
      this.time = 1;
    }
    this.#setTime();
    return {
      commit: this.#clean,
      start: this.start,
      tokens: this.block.tokens,
      heads: this.#heads(),
      sigma: [noiseLevel(this.commitTime), noiseLevel(this.time)],
    };
  }

  /** The journal's entry after a step with this proposal. */
  reveal(proposal: Proposal): Entry {
    const { prompt, maxTokens, blockSize, stopToken } = this.options;
    const before = this.block;
    this.block = this.#next(proposal);
    this.step += 1;
    this.nfe += 1;
    const generated = this.block.tokens.slice(Math.max(0, prompt.length - this.start));
    const isLast = this.start + blockSize >= prompt.length + maxTokens;
    const isStopped = stopToken !== null && generated.includes(stopToken);
    this.isOver = this.masked === 0 && (isLast || isStopped);
    const { start, step, nfe, masked } = this;
    const { tokens } = this.block;
    const confidence = tokens.map((token, i) =>
      token === before.tokens[i] ? 0 : proposal.confidence[i]!
    );
    return { status: 1, start, step, nfe, masked, tokens, confidence };
  }

  get #steps(): number {
    const { strategy, blockSize } = this.options;
    return strategy.strategy === "first_hitting" ? blockSize : strategy.steps ?? blockSize;
  }

  get #order(): number[] {
    return this.block.tokens.map((_, i) => this.uniform("order", this.start + i, 0));
  }

  #next(proposal: Proposal): Block {
    return reveal(this.block, proposal, {
      options: this.options.strategy,
      step: this.step,
      quota: this.options.strategy.strategy === "first_hitting"
        ? 1
        : quota(this.masked, Math.max(1, this.#steps - this.step)),
      order: this.#order,
    });
  }

  /** What the strategy knows without the model, or all masks. */
  #heads(): number[] {
    const { strategy } = this.options.strategy;
    const masked = this.block.masked();
    if (strategy !== "first_hitting" && strategy !== "ancestral" && strategy !== "sequential") {
      return masked;
    }
    const nothing = this.block.tokens.map(() => 0);
    const next = this.#next({ tokens: nothing, confidence: nothing, entropy: nothing });
    return masked.filter((i) => next.tokens[i] !== MASK);
  }

  #setTime(): void {
    switch (this.options.strategy.strategy) {
      case "first_hitting":
        // The largest of as many uniform times as there are masks.
        this.time *= this.uniform("time", this.start, this.nfe) ** (1 / this.masked);
        return;
      case "ancestral": {
        const order = this.#order;
        const falls = this.block.masked().map((i) => fallStep(order[i]!, this.#steps));
        this.step = Math.min(...falls);
        this.time = 1 - this.step / this.#steps;
        return;
      }
      default:
        this.time = this.masked / this.options.blockSize;
    }
  }
}

function noiseLevel(time: number): number {
  return Math.min(-Math.log(1 - time), SIGMA_MAX);
}
