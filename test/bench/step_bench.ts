import { HEAD_WORDS, PROPOSAL_WORDS, propose, writeHead } from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { GpuDenoiser } from "../../src/model/mod.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { ForwardHarness, loadNetwork } from "../support/forward.ts";
import type { Job } from "./measure.ts";
import { StepProducts } from "./step_products.ts";

/** Rows of a step: a block. */
export const ROWS = 16;

/** "Once upon a time" in the shipped model, with its BOS; other models see noise anyway. */
const TEXT = [4094, 422, 429, 258, 395];

/** A prompt of so many tokens. */
export function promptOf(length: number): number[] {
  return Array.from({ length }, (_, i) => TEXT[i % TEXT.length]!);
}

/** A sequence that denoises blocks of 16; every masked row goes through the head. */
export function blockOptions(options: Partial<SequenceOptions>): SequenceOptions {
  return {
    prompt: [],
    maxTokens: ROWS,
    blockSize: ROWS,
    strategy: { strategy: "low_confidence_static" },
    temperature: 1,
    topP: 1,
    topK: 0,
    seed: 1,
    choice: 0,
    stopTokens: [],
    ...options,
  };
}

/** What a {@linkcode StepBench} is made for. */
export interface StepOptions {
  readonly directory: string;
  readonly format?: WeightFormat;
  /** Positions that the block sees, its own among them. */
  readonly keys: number;
  /** Steps recorded into one submission, each of a sequence of its own. */
  readonly slots: number;
}

/** The first step of a block in the product's denoiser: 16 rows, all masked. And its parts. */
export class StepBench implements Disposable {
  readonly network: Bd3lm;
  readonly #gpu: Gpu;
  readonly #denoiser: GpuDenoiser;
  readonly #harness: ForwardHarness;
  readonly #options: SequenceOptions;
  readonly #slots: number;
  readonly #owned = new DisposableStack();

  private constructor(
    gpu: Gpu,
    parts: { network: Bd3lm; denoiser: GpuDenoiser },
    { keys, slots }: StepOptions,
  ) {
    this.#gpu = gpu;
    this.network = this.#owned.use(parts.network);
    this.#denoiser = this.#owned.use(parts.denoiser);
    this.#harness = this.#owned.use(new ForwardHarness(gpu, parts.network, { positions: ROWS }));
    this.#options = blockOptions({ prompt: promptOf(keys - ROWS) });
    this.#slots = slots;
  }

  /** Loads the model and fills the cache with the keys of a prompt. */
  static async open(gpu: Gpu, options: StepOptions): Promise<StepBench> {
    const { directory, format = "f16", slots } = options;
    const network = loadNetwork(gpu, directory, { format });
    const denoiser = await GpuDenoiser.open(gpu, network, { slots, prefixCache: false });
    const bench = new StepBench(gpu, { network, denoiser }, options);
    for (let slot = 0; slot < slots; slot++) await bench.#prefill(slot);
    return bench;
  }

  /** Runs steps as the engine does: recorded, submitted, read. */
  readonly step: Job = async (times) => {
    for (let left = times; left > 0; left -= this.#slots) {
      const lanes = Array.from({ length: Math.min(left, this.#slots) }, (_, slot) => slot);
      // Back to the block's beginning; a slot gets the same pages again, with their keys.
      for (const slot of lanes) this.#denoiser.close(slot, null);
      for (const slot of lanes.toReversed()) this.#denoiser.open(slot, this.#options);
      const burst = this.#denoiser.record(lanes.map((slot) => ({ lanes: [slot], prompts: [] })));
      burst.submit();
      await burst.read();
    }
  };

  /** Dispatches of one step. */
  async countDispatches(): Promise<number> {
    const gpu = this.#gpu;
    const open = gpu.pass;
    const passes: Pass[] = [];
    gpu.pass = () => {
      const pass = open.call(gpu);
      passes.push(pass);
      return pass;
    };
    await this.step(1);
    gpu.pass = open;
    return passes.reduce((sum, { dispatches }) => sum + dispatches, 0);
  }

  /** Records the step's matrix products alone. */
  products(): (pass: Pass) => void {
    return this.#owned.use(new StepProducts(this.#gpu, this.network, this.#inputs())).record;
  }

  /** Records the sampler alone, on the logits that the network gives for the step. */
  async sampler(topP: number): Promise<(pass: Pass) => void> {
    const { vocabSize: vocabulary, maskToken } = this.network.config;
    const inputs = this.#inputs();
    const pass = this.#gpu.pass();
    using normalized = this.network.forward(pass, inputs)!; // There are heads.
    const part = { counts: inputs.counts, skip: 0, rows: ROWS };
    const logits = this.#owned.use(this.network.logits(pass, normalized, part));
    pass.submit();
    await this.#gpu.read(inputs.counts);
    const heads = this.#heads(topP);
    const proposals = this.#words("proposals", new Uint32Array(ROWS * PROPOSAL_WORDS));
    const operands = { logits, heads, counts: inputs.counts, proposals, firstHead: 0 };
    const model = { vocabulary, maskToken, keepsCrossing: false };
    return (pass) => propose(pass, { ...operands, ...model });
  }

  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  #inputs() {
    const { maskToken, modelLength } = this.network.config;
    const tokens = new Uint32Array(ROWS).fill(maskToken);
    const position = this.#options.prompt.length;
    const rows = { tokens, position, blockSize: ROWS, window: modelLength };
    return { ...this.#harness.inputs([rows]), cache: this.#denoiser.cache.layers };
  }

  #heads(topP: number): Tensor {
    const words = new Uint32Array(ROWS * HEAD_WORDS);
    for (let i = 0; i < ROWS; i++) {
      const draw = { temperature: 1, topP, topK: 0, uniform: (i + 0.5) / ROWS };
      writeHead(words, i * HEAD_WORDS, { row: i, offset: i, ...draw });
    }
    return this.#words("heads", words);
  }

  #words(name: string, data: Uint32Array<ArrayBuffer>): Tensor {
    return this.#owned.use(this.#gpu.tensor(name, [data.length], { dtype: "u32", data }));
  }

  async #prefill(slot: number): Promise<void> {
    this.#denoiser.open(slot, this.#options);
    const { prompt: tokens, blockSize } = this.#options;
    const prompts = [{ slot, position: 0, tokens, blockSize }];
    const burst = this.#denoiser.record([{ lanes: [], prompts }]);
    burst.submit();
    await burst.read();
  }
}
