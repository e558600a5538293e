/** Draws the tokens of a recorded sampler run from what the product's network gives. */
import {
  HEAD_WORDS,
  JOURNAL_HEADER,
  journalWords,
  PROPOSAL_WORDS,
  propose,
  reveal,
  STATUS,
  writeHead,
} from "../../kernels/mod.ts";
import { type Gpu, type Pass, Readback, type Tensor } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import type { PassInputs } from "../../src/model/network.ts";
import { packSequence, SEQUENCE_WORDS } from "../../src/model/sequence_state.ts";
import { subsLogProbabilities } from "../reference/forward.ts";
import { drawGumbel, nucleus } from "../reference/reveal.ts";
import { unpad } from "./forward.ts";
import { BD3LM_RULES as RULES } from "./decoding_rules.ts";
import { sequenceWord } from "./sequence_words.ts";
import { gumbelUniforms, type Trace } from "./traces.ts";

/** A forward pass: it runs when the heads are known, and again where others are asked for. */
export interface Trunk {
  readonly inputs: PassInputs;
  /** Row of the block's first token. */
  readonly firstRow: number;
}

/** A position of the block that a token is drawn for. */
export interface Falling {
  readonly offset: number;
  /** In [0, 1); of no use to a Gumbel draw. */
  readonly uniform: number;
}

/** One iteration's draws. */
export interface Draws {
  /** Index into the trace's steps. */
  readonly iteration: number;
  /** The block before them, and its position in the sequence. */
  readonly tokens: readonly number[];
  readonly start: number;
  /** At least one. */
  readonly falling: readonly Falling[];
  readonly trunk: Trunk;
}

/** What the kernels keep of one sequence in slot 0. */
function createState(gpu: Gpu, blockSize: number) {
  const words = (name: string, count: number) => gpu.tensor(name, [count], { dtype: "u32" });
  // One lane, no prompt rows; slot 0, whose journal entry lies at word 0.
  const burst = gpu.tensor("burst", [4], { dtype: "u32", data: Uint32Array.of(1, 0, 0, 0) });
  return {
    burst,
    sequences: words("sequences", SEQUENCE_WORDS),
    tokens: words("tokens", 2 * blockSize),
    heads: words("heads", blockSize * HEAD_WORDS),
    counts: words("counts", 2),
    proposals: words("proposals", blockSize * PROPOSAL_WORDS),
    journal: words("journal", journalWords(blockSize)),
  };
}

/** Draws as a trace says: by inverse CDF with the product's kernels, by a Gumbel race here. */
export class TraceDrawer implements Disposable {
  readonly #gpu: Gpu;
  readonly #network: Bd3lm;
  readonly #trace: Trace;
  readonly #readback: Readback;
  readonly #state: ReturnType<typeof createState>;

  private constructor(gpu: Gpu, network: Bd3lm, parts: { trace: Trace; readback: Readback }) {
    this.#gpu = gpu;
    this.#network = network;
    this.#trace = parts.trace;
    this.#readback = parts.readback;
    this.#state = createState(gpu, parts.trace.block_size);
  }

  /** Allocates what the draws of `trace` need. */
  static async open(gpu: Gpu, network: Bd3lm, trace: Trace): Promise<TraceDrawer> {
    const readback = await Readback.open(gpu, 4 * journalWords(trace.block_size));
    return new TraceDrawer(gpu, network, { trace, readback });
  }

  /** The block after the draws. */
  async draw(draws: Draws): Promise<readonly number[]> {
    this.#writeHeads(draws);
    switch (this.#trace.draw) {
      case "cdf":
        return await this.#reveal(draws);
      case "gumbel":
        return await this.#race(draws);
    }
  }

  [Symbol.dispose](): void {
    this.#readback[Symbol.dispose]();
    for (const each of Object.values(this.#state)) each[Symbol.dispose]();
  }

  #writeHeads({ falling, trunk: { inputs, firstRow } }: Draws): void {
    const words = new Uint32Array(falling.length * HEAD_WORDS);
    falling.forEach(({ offset, uniform }, i) => {
      const draw = { temperature: 1, topP: this.#trace.nucleus_p, topK: 0, uniform };
      writeHead(words, i * HEAD_WORDS, { row: firstRow + offset, offset, ...draw });
    });
    this.#gpu.write(this.#state.heads, words);
    this.#gpu.write(this.#state.counts, Uint32Array.of(inputs.bound, falling.length));
  }

  /** Records the raw logits of the heads: [heads, vocabulary padded to 32]. */
  #logits(pass: Pass, { falling, trunk: { inputs } }: Draws): Tensor {
    const { heads, counts } = this.#state;
    const table = { ...inputs, heads, counts, headBound: falling.length };
    using normalized = this.#network.forward(pass, table)!; // At least one falls.
    return this.#network.logits(pass, normalized, { counts, skip: 0, rows: falling.length });
  }

  /** Draws and reveals on the device: what the product does once the plan stands. */
  async #reveal(draws: Draws): Promise<number[]> {
    const { block_size: maxBlock, mask: maskToken } = this.#trace;
    const { heads, counts, proposals, journal } = this.#state;
    this.#writeSequence(draws);
    const pass = this.#gpu.pass();
    using logits = this.#logits(pass, draws);
    const vocabulary = this.#network.config.vocabSize;
    const model = { vocabulary, maskToken, keepsCrossing: RULES.keepsCrossing };
    propose(pass, { logits, heads, counts, proposals, firstHead: 0, ...model });
    const rules = { maxBlock, maskToken, isScheduled: false, isShifted: false };
    reveal(pass, { ...this.#state, segment: 0, lanes: 1, ...rules });
    const bytes = journal.sizeBytes;
    pass.submit([{ from: journal, to: this.#readback.buffer, bytes }]);
    const words = new Uint32Array(await this.#readback.read(bytes));
    if (words[0] !== STATUS.denoised) {
      throw new RangeError(`Cannot reveal: status is ${words[0]}, expected ${STATUS.denoised}`);
    }
    return [...words.subarray(JOURNAL_HEADER, JOURNAL_HEADER + maxBlock)];
  }

  /** The sequence as the plan leaves it: its heads are known, and all of them fall. */
  #writeSequence({ tokens, start, falling }: Draws): void {
    const { sampler, block_size: blockSize, length, mask, window, num_steps, ...trace } =
      this.#trace;
    const strategy = sampler === "ddpm"
      ? { strategy: "ancestral" as const, steps: num_steps }
      : { strategy: sampler };
    const draw = { temperature: 1, topP: trace.nucleus_p, topK: 0, seed: 0, choice: 0 };
    const options = { prompt: [], maxTokens: length, blockSize, strategy, stopTokens: [] };
    const words = packSequence({ ...options, ...draw }, { window, rules: RULES });
    words[sequenceWord("start")] = start;
    words[sequenceWord("masked")] = tokens.filter((token) => token === mask).length;
    words[sequenceWord("first_head")] = 0;
    words[sequenceWord("heads")] = falling.length;
    this.#gpu.write(this.#state.sequences, words);
    const place = start % (2 * blockSize);
    this.#gpu.write(this.#state.tokens, Uint32Array.from(tokens), place * 4);
  }

  /** Draws in float64, by the recorded race, from the product's logits. */
  async #race(draws: Draws): Promise<number[]> {
    const { iteration, tokens, falling } = draws;
    const { mask, nucleus_p: topP, sampler, steps } = this.#trace;
    const pass = this.#gpu.pass();
    using logits = this.#logits(pass, draws);
    pass.submit();
    const size = this.#network.config.vocabSize;
    const padded = new Float32Array(await this.#gpu.read(logits));
    const values = unpad(padded, logits.shape[1]!, size);
    const logP = subsLogProbabilities(values, falling.map(() => mask), { mask });
    const stays = sampler === "ddpm" ? steps[iteration]!.mask_prob : 0;
    const after = [...tokens];
    falling.forEach(({ offset }, i) => {
      const p = nucleus(logP.subarray(i * size, (i + 1) * size).map(Math.exp), topP);
      const weights = p.map((each) => each * (1 - stays)).fill(stays, mask, mask + 1);
      after[offset] = drawGumbel(weights, gumbelUniforms(this.#trace, iteration, offset));
    });
    return after;
  }
}
