/** SDAR's and Fast-dLLM's samplers in float64, written from the reference text: one block at a time. */
import { forwardBlocks, type QwenNetwork } from "./qwen_network.ts";
import { logProbabilities, propose, type Proposed } from "./reveal.ts";

/** What is sampled, and where its randomness comes from. */
export interface QwenRun {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly blockSize: number;
  /** The block size where there are no sub-blocks. */
  readonly subBlockSize: number;
  readonly rule: Rule;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly mask: number;
  /** Whether the mask is left out of draws. */
  readonly bansMask: boolean;
  readonly stopTokens: readonly number[];
  /** Whether the logits for a position come from the row before, and first tokens from commits. */
  readonly shifts: boolean;
  /** The number that a token is drawn with, and the one that `random` ranks by. */
  readonly uniform: (at: Place) => number;
  readonly rank: (at: Place) => number;
}

/** Which masks a step turns into tokens; `steps` of a (sub-)block. */
export type Rule =
  | {
    readonly strategy: "sequential" | "random" | "low_confidence_static";
    readonly steps: number;
  }
  | {
    readonly strategy: "low_confidence_dynamic";
    readonly steps: number;
    readonly threshold: number;
  }
  | { readonly strategy: "entropy_bounded"; readonly bound: number };

/** A place of a draw. */
export interface Place {
  /** Denoising passes before, over all blocks, and in this block. */
  readonly pass: number;
  readonly nfe: number;
  readonly position: number;
  /** In its block. */
  readonly offset: number;
}

/** A token that was drawn, with ln p of all tokens that it was drawn from: the mask's is −∞. */
export interface Drawn extends Proposed {
  readonly logP: Float64Array;
}

/** One denoising pass, in the words of the recordings. */
export interface QwenStep {
  readonly block: number;
  readonly sub_block: number;
  readonly step: number;
  readonly x: readonly number[];
  readonly pos: readonly number[];
  readonly drawn: readonly Drawn[];
  readonly transfer: readonly number[];
  readonly x_after: readonly number[];
}

/** A finished run. */
export interface QwenSampled {
  readonly steps: readonly QwenStep[];
  readonly seeds: readonly number[];
  /** What the seeds were drawn from. */
  readonly seedsDrawn: readonly Drawn[];
  /** Passes over finished blocks, those of the prompt not counted. */
  readonly commits: number;
  readonly output: readonly number[];
  readonly finishReason: "stop" | "length";
}

/** Samples a run. Source: reference sections 4 and 5. */
export function sampleQwen(network: QwenNetwork, run: QwenRun): QwenSampled {
  const sampler = new QwenSampler(network, run);
  return sampler.run();
}

class QwenSampler {
  readonly #network: QwenNetwork;
  readonly #run: QwenRun;
  readonly #steps: QwenStep[] = [];
  readonly #seeds: Drawn[] = [];
  #commits = 0;
  /** All tokens so far: clean blocks, then the one in the making. */
  #tokens: number[];

  constructor(network: QwenNetwork, run: QwenRun) {
    this.#network = network;
    this.#run = run;
    this.#tokens = [...run.prompt];
  }

  run(): QwenSampled {
    const { prompt, maxTokens, blockSize, shifts } = this.#run;
    if (shifts && prompt.length > 0 && prompt.length % blockSize === 0) this.#appendSeed();
    while (!this.#isOver()) {
      this.#denoiseBlock();
      // SDAR commits the block with the stop token, too.
      if (shifts && this.#stopAt() >= 0 && this.#isOver()) break;
      this.#commits += 1;
      if (shifts) this.#appendSeed();
    }
    const generated = this.#tokens.slice(prompt.length, prompt.length + maxTokens);
    const stop = this.#stopAt();
    const output = stop < 0 ? generated : generated.slice(0, stop + 1);
    const finishReason = stop < 0 ? "length" : "stop";
    const seeds = this.#seeds.map(({ token }) => token);
    const counts = { steps: this.#steps, commits: this.#commits };
    return { ...counts, seeds, seedsDrawn: this.#seeds, output, finishReason };
  }

  /** Index among the generated tokens of the first stop token that counts; -1 without one. */
  #stopAt(): number {
    const { prompt, maxTokens, stopTokens } = this.#run;
    const generated = this.#tokens.slice(prompt.length, prompt.length + maxTokens);
    return generated.findIndex((token) => stopTokens.includes(token));
  }

  /** Whether the output is known: with shifted logits before the first mask, else in clean blocks. */
  #isOver(): boolean {
    const { prompt, maxTokens, mask } = this.#run;
    const generated = this.#tokens.slice(prompt.length);
    const masked = generated.indexOf(mask);
    const known = masked < 0 ? generated.length : masked;
    const stop = this.#stopAt();
    return known >= maxTokens || (stop >= 0 && stop < known);
  }

  #appendSeed(): void {
    const { blockSize, mask } = this.#run;
    const { logits } = forwardBlocks(this.#network, { tokens: this.#tokens, blockSize });
    const row = logits.slice(-logits.length / this.#tokens.length);
    // The mask is never a first token, whatever draws leave out.
    const greedy = { temperature: 0, topK: 0, topP: 1, mask, u: 0 };
    const seed = { ...propose(row, greedy), logP: logProbabilities(row, mask) };
    this.#seeds.push(seed);
    this.#tokens.push(seed.token);
  }

  #denoiseBlock(): void {
    const { blockSize, subBlockSize, mask, shifts } = this.#run;
    const start = Math.floor(this.#tokens.length / blockSize) * blockSize;
    const masks = start + blockSize - this.#tokens.length;
    this.#tokens.push(...Array<number>(masks).fill(mask));
    let nfe = 0;
    for (let first = 0; first < blockSize; first += subBlockSize) {
      for (let step = 0; this.#maskedIn(start, first).length > 0; step++) {
        if (shifts && this.#isOver()) return;
        this.#step({ start, first, step, nfe: nfe++ });
      }
    }
  }

  /** Masked offsets of a sub-block. */
  #maskedIn(start: number, first: number): number[] {
    const { subBlockSize, mask } = this.#run;
    const offsets = Array.from({ length: subBlockSize }, (_, i) => first + i);
    return offsets.filter((offset) => this.#tokens[start + offset] === mask);
  }

  #step(at: { start: number; first: number; step: number; nfe: number }): void {
    const { start, first, step, nfe } = at;
    const { blockSize, subBlockSize, shifts, uniform, rank } = this.#run;
    const pos = this.#maskedIn(start, first);
    const x = this.#tokens.slice(start);
    const places = pos.map((offset) => ({
      ...{ pass: this.#steps.length, nfe, position: start + offset, offset },
    }));
    const { logits } = forwardBlocks(this.#network, { tokens: this.#tokens, blockSize });
    const size = logits.length / this.#tokens.length;
    const drawn = places.map((place) => {
      const row = start + (shifts ? Math.max(place.offset - 1, 0) : place.offset);
      return this.#draw(logits.slice(row * size, (row + 1) * size), uniform(place));
    });
    const chosen = transfer(this.#run.rule, {
      drawn,
      ranks: this.#run.rule.strategy === "random" ? places.map(rank) : [],
      quota: this.#quota(step),
    });
    for (const i of chosen) this.#tokens[start + pos[i]!] = drawn[i]!.token;
    this.#steps.push({
      ...{ block: start / blockSize, sub_block: first / subBlockSize, step, x, pos, drawn },
      transfer: chosen.map((i) => pos[i]!),
      x_after: this.#tokens.slice(start),
    });
  }

  #draw(row: Float64Array, u: number): Drawn {
    const { temperature, topK, topP, bansMask } = this.#run;
    const filters = { temperature, topK, topP, keepsCrossing: true };
    const mask = bansMask ? this.#run.mask : -1;
    return { ...propose(row, { ...filters, mask, u }), logP: logProbabilities(row, mask) };
  }

  /** Section 4.2: ⌊b / steps⌋, and one more in the first b mod steps. */
  #quota(step: number): number {
    const { rule, subBlockSize: size } = this.#run;
    if (rule.strategy === "entropy_bounded") return 1;
    return Math.floor(size / rule.steps) + (step < size % rule.steps ? 1 : 0);
  }
}

/** Section 4.3: which of the drawn tokens stay, as rising indices. */
export function transfer(
  rule: Rule,
  { drawn, ranks, quota }: {
    readonly drawn: readonly Pick<Proposed, "confidence" | "entropy">[];
    readonly ranks: readonly number[];
    readonly quota: number;
  },
): number[] {
  const indices = [...drawn.keys()];
  const best = (score: (i: number) => number, count: number) =>
    indices.toSorted((a, b) => score(b) - score(a) || a - b).slice(0, count)
      .toSorted((a, b) => a - b);
  const confidence = (i: number) => drawn[i]!.confidence;
  switch (rule.strategy) {
    case "sequential":
      return indices.slice(0, quota);
    case "random":
      return best((i) => ranks[i]!, quota);
    case "low_confidence_static":
      return best(confidence, quota);
    case "low_confidence_dynamic": {
      const high = indices.filter((i) => confidence(i) > rule.threshold);
      return high.length >= quota ? high : best(confidence, quota);
    }
    case "entropy_bounded": {
      let count = 0;
      let sum = 0;
      for (const { entropy } of drawn.toSorted((a, b) => a.entropy - b.entropy)) {
        sum += entropy;
        if (sum < rule.bound) count += 1;
      }
      return best((i) => -drawn[i]!.entropy, Math.max(1, count));
    }
  }
}
