import { Block, type Proposal } from "../../src/diffusion/block.ts";
import { quota, scheduledQuota } from "../../src/diffusion/quota.ts";
import { type Stream, uniformAt } from "../../src/diffusion/random.ts";
import { fallStep } from "../../src/diffusion/remasking/ancestral.ts";
import { reveal } from "../../src/diffusion/remasking/mod.ts";
import type { DecodingRules } from "../../src/model/decoding_rules.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { type Entry, MASK } from "./device_sequences.ts";

/** What a pass should hold of one sequence. */
export interface ExpectedPlan {
  /** Tokens of the clean block that is committed, and where it begins; `null` without one. */
  readonly commit: { readonly start: number; readonly tokens: readonly number[] } | null;
  readonly start: number;
  /** The block that is denoised; empty where the commit has the pass to itself. */
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
  readonly rules: DecodingRules;
  start: number;
  block: Block;
  /** Steps of the sub-block, and of those before it. */
  step = 0;
  pastSteps = 0;
  nfe = 0;
  time = 1;
  commitTime = 0;
  isOver = false;
  #clean: ExpectedPlan["commit"] = null;

  constructor(options: SequenceOptions, rules: DecodingRules) {
    const { prompt, blockSize } = options;
    this.options = options;
    this.rules = rules;
    this.start = prompt.length - prompt.length % blockSize;
    // The commit of the prompt's last block gives the first token.
    if (rules.shiftsLogits && this.start === prompt.length && prompt.length > 0) {
      this.start -= blockSize;
    }
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

  /** Whether the next pass, or the one just planned, only commits a block. */
  get isCommitting(): boolean {
    return this.rules.shiftsLogits && this.masked === 0;
  }

  /** Moves to the next block if this one is clean, and sets the time of the next step. */
  plan(): ExpectedPlan {
    const { blockSize } = this.options;
    this.#clean = null;
    if (this.isCommitting) {
      const commit = { start: this.start, tokens: this.block.tokens };
      this.commitTime = this.time;
      this.time = 1;
      const sigma = [noiseLevel(this.commitTime), noiseLevel(1)] as const;
      return { commit, start: this.start + blockSize, tokens: [], heads: [0], sigma };
    }
    if (this.masked === 0) {
      this.#clean = { start: this.start, tokens: this.block.tokens };
      this.start += blockSize;
      this.block = new Block(Array(blockSize).fill(MASK), MASK);
      this.step = 0;
      this.pastSteps = 0;
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
    if (this.isCommitting) return this.#openWith(proposal);
    const before = this.block;
    this.block = this.#next(proposal);
    this.step += 1;
    this.nfe += 1;
    return this.#entry(1, before, proposal);
  }

  /** The next block, whose first token the commit proposes. */
  #openWith(proposal: Proposal): Entry {
    const { blockSize } = this.options;
    const before = new Block(Array(blockSize).fill(MASK), MASK);
    this.start += blockSize;
    this.block = before.reveal([0], proposal.tokens);
    this.step = 0;
    this.pastSteps = 0;
    this.nfe = 0;
    return this.#entry(3, before, proposal);
  }

  #entry(status: number, before: Block, proposal: Proposal): Entry {
    this.isOver = this.#ends();
    const { start, nfe, masked, isOver } = this;
    const { tokens } = this.block;
    const step = this.pastSteps + this.step;
    // The next sub-block, if this one is clean, counts its own steps.
    if (before.masked().length - masked === this.#subBlockOf(before).masked().length) {
      this.pastSteps = step;
      this.step = 0;
    }
    const confidence = tokens.map((token, i) =>
      token === before.tokens[i] ? 0 : proposal.confidence[i]!
    );
    return { status, start, step, nfe, masked, isOver, tokens, confidence };
  }

  /** Whether the end is known: in a clean block, or where logits are shifted before the first mask. */
  #ends(): boolean {
    const { prompt, maxTokens, blockSize, stopTokens } = this.options;
    const { tokens } = this.block;
    const isStop = (token: number, i: number) =>
      this.start + i >= prompt.length && stopTokens.includes(token);
    const left = prompt.length + maxTokens - this.start;
    if (!this.rules.shiftsLogits) {
      return this.masked === 0 && (left <= blockSize || tokens.some(isStop));
    }
    const known = [...tokens, MASK].indexOf(MASK);
    return known >= left || tokens.slice(0, known).some(isStop);
  }

  get #steps(): number {
    const { strategy } = this.options;
    const most = this.#subBlockSize;
    return strategy.strategy === "first_hitting" ? most : strategy.steps ?? most;
  }

  get #subBlockSize(): number {
    return this.options.subBlockSize ?? this.options.blockSize;
  }

  /** Offset of the leftmost sub-block of `block` with masks. */
  #offsetIn(block: Block): number {
    const first = block.masked()[0] ?? 0;
    return first - first % this.#subBlockSize;
  }

  #subBlockOf(block: Block): Block {
    const offset = this.#offsetIn(block);
    return new Block(block.tokens.slice(offset, offset + this.#subBlockSize), MASK);
  }

  get #order(): number[] {
    const draw = this.options.strategy.strategy === "random" ? this.nfe : 0;
    return this.block.tokens.map((_, i) => this.uniform("order", this.start + i, draw));
  }

  /** Tokens that the step wants of the sub-block. */
  get #quota(): number {
    const { strategy } = this.options.strategy;
    const masked = this.#subBlockOf(this.block).masked().length;
    const stepsLeft = Math.max(1, this.#steps - this.step);
    if (strategy === "first_hitting") return 1;
    if (this.rules.quota === "masks_left") return quota(masked, stepsLeft);
    // Reference 4.3: the schedule is not used; no more steps are taken than asked for.
    if (strategy === "entropy_bounded") return stepsLeft === 1 ? masked : 1;
    return scheduledQuota(this.#subBlockSize, { step: this.step, steps: this.#steps });
  }

  #next(proposal: Proposal): Block {
    const offset = this.#offsetIn(this.block);
    const part = <T>(values: readonly T[]) => values.slice(offset, offset + this.#subBlockSize);
    const { tokens, confidence, entropy } = proposal;
    const partial = {
      tokens: part(tokens),
      confidence: part(confidence),
      entropy: part(entropy),
    };
    const next = reveal(this.#subBlockOf(this.block), partial, {
      options: this.options.strategy,
      step: this.step,
      quota: this.#quota,
      order: part(this.#order),
    });
    const all = [...this.block.tokens];
    all.splice(offset, this.#subBlockSize, ...next.tokens);
    return new Block(all, MASK);
  }

  /** What the strategy knows without the model, or all masks. */
  #heads(): number[] {
    const { strategy } = this.options.strategy;
    const offset = this.#offsetIn(this.block);
    const masked = this.block.masked().filter((i) => i < offset + this.#subBlockSize);
    if (["low_confidence_static", "low_confidence_dynamic", "entropy_bounded"].includes(strategy)) {
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
        const end = this.#offsetIn(this.block) + this.#subBlockSize;
        const masked = this.block.masked();
        const own = masked.filter((i) => i < end);
        this.step = Math.min(...own.map((i) => fallStep(order[i]!, this.#steps)));
        const share = 1 - this.step / this.#steps;
        const expected = share * this.#subBlockSize + masked.length - own.length;
        this.time = expected / this.options.blockSize;
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
