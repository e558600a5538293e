import { TIMES } from "../diffusion/noise.ts";
import { drawCopy } from "../evaluation/noisy_copy.ts";
import { type Gpu, Readback, type Tensor } from "../gpu/mod.ts";
import type { Bd3lmConfig } from "../model/bd3lm_config.ts";
import { BatchTables } from "./batch.ts";
import type { BlockLoss } from "./clip_search.ts";
import { TrainingNetwork } from "./network.ts";
import { drawNoise } from "./noise.ts";
import type { NoisySequence } from "./noisy_sequence.ts";
import type { Parameters } from "./parameters.ts";

/** What an evaluator works with. */
export interface EvaluatorOptions {
  readonly config: Bd3lmConfig;
  readonly parameters: Parameters;
  /** Sequences that go through the network at once. */
  readonly sequences: number;
  readonly seed: number;
}

/** Measures the averaged weights on held-out text: the ones that checkpoints have. */
export class Evaluator implements Disposable {
  readonly #gpu: Gpu;
  readonly #options: EvaluatorOptions;
  readonly #network: TrainingNetwork;
  readonly #tables: BatchTables;
  readonly #losses: Tensor;
  readonly #readback: Readback;

  private constructor(gpu: Gpu, options: EvaluatorOptions, readback: Readback) {
    this.#gpu = gpu;
    this.#options = options;
    this.#readback = readback;
    const { config, parameters, sequences } = options;
    this.#network = new TrainingNetwork(gpu, config, { parameters, sequences, kept: "averaged" });
    const { modelLength: length, vocabSize: vocabulary } = config;
    this.#tables = new BatchTables(gpu, { sequences, length, vocabulary });
    this.#losses = gpu.tensor("losses", [sequences * length]);
  }

  /** Opens one. */
  static async open(gpu: Gpu, options: EvaluatorOptions): Promise<Evaluator> {
    const { sequences, config } = options;
    const readback = await Readback.open(gpu, 4 * sequences * config.modelLength);
    return new Evaluator(gpu, options, readback);
  }

  /**
   * The bound on the negative log-likelihood, nats per token, position 0 given: one draw of masks
   * for every window, always the same, so that values of one run compare.
   */
  async nelbo(windows: readonly ArrayLike<number>[], blockSize: number): Promise<number> {
    const { config: { maskToken }, seed } = this.#options;
    let [sum, tokens] = [0, 0];
    const sequences = windows.map((window, draw) => {
      const text = { x0: Array.from(window), given: 1, blockSize };
      const estimator = { type: "counts" } as const;
      const copy = drawCopy(text, { estimator, maskToken, seed, draw });
      return { x0: window, ...copy };
    });
    for await (const { sequence, losses } of this.#run(sequences, blockSize)) {
      sum += losses.reduce((total, each) => total + each, 0);
      tokens += sequence.x0.length - 1;
    }
    return sum / tokens;
  }

  /** Losses of all blocks of the windows, with times from all over. `step` numbers the draws. */
  async blockLosses(
    windows: readonly ArrayLike<number>[],
    { blockSize, step }: { readonly blockSize: number; readonly step: number },
  ): Promise<BlockLoss[]> {
    const { config: { maskToken }, seed } = this.#options;
    const noise = { blockSize, maskToken, schedule: "loglinear", times: TIMES } as const;
    const drawn = drawNoise(windows, { ...noise, isAntithetic: true, seed: seed + 1, step });
    const sequences = drawn.map((each) => ({
      ...each,
      weights: Array.from(each.weights, (weight) => weight === 0 ? 0 : 1),
    }));
    const blocks: BlockLoss[] = [];
    for await (const { sequence, losses } of this.#run(sequences, blockSize)) {
      sequence.blockTimes.forEach((time, block) => {
        const own = losses.subarray(block * blockSize, (block + 1) * blockSize);
        blocks.push({ time, loss: own.reduce((sum, each) => sum + each, 0) / blockSize });
      });
    }
    return blocks;
  }

  [Symbol.dispose](): void {
    const own = [this.#network, this.#tables, this.#losses, this.#readback];
    for (const each of own) each[Symbol.dispose]();
  }

  /** Weighted losses by position, sequence by sequence. */
  async *#run<S extends NoisySequence>(
    sequences: readonly S[],
    blockSize: number,
  ): AsyncGenerator<{ sequence: S; losses: Float64Array }> {
    const { sequences: most } = this.#options;
    for (let first = 0; first < sequences.length; first += most) {
      const part = sequences.slice(first, first + most);
      const batch = this.#tables.upload(part, blockSize);
      const pass = this.#gpu.pass();
      this.#network.addLosses(pass, batch, { losses: this.#losses, lossFirst: 0 });
      const bytes = 4 * batch.heads;
      pass.submit([{ from: this.#losses, to: this.#readback.buffer, bytes }]);
      const losses = new Float32Array(await this.#readback.read(bytes));
      let next = 0;
      for (const sequence of part) {
        const own = Float64Array.from(
          { length: sequence.x0.length },
          (_, i) => sequence.weights[i] === 0 ? 0 : losses[next++]!, // One for each head.
        );
        yield { sequence, losses: own };
      }
    }
  }
}
