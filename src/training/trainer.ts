import type { Dropout } from "../../kernels/training/mod.ts";
import { type Gpu, Readback, type Tensor } from "../gpu/mod.ts";
import type { Bd3lmConfig } from "../model/bd3lm_config.ts";
import { BatchTables } from "./batch.ts";
import { TrainingNetwork } from "./network.ts";
import type { NoisySequence } from "./noisy_sequence.ts";
import { Optimizer, type OptimizerSettings, VERDICT_WORDS } from "./optimizer.ts";
import type { Parameters } from "./parameters.ts";

/** Steps in a row without a finite loss and gradient that end a training. */
const MAX_SKIPPED = 10;

/** A training that makes no progress any more. */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
}

/** What there is to train, and how. */
export interface TrainerOptions {
  readonly config: Bd3lmConfig;
  readonly parameters: Parameters;
  readonly optimizer: OptimizerSettings;
  /** Sequences of an update, and most that go through the network at once. */
  readonly batch: number;
  readonly microBatch: number;
  /** Share of values that the two branches of every block lose. */
  readonly dropout: number;
  readonly seed: number;
  /** Updates and steps that were made before. */
  readonly start?: { readonly updates: number; readonly skipped: number };
}

/** What one step came to. */
export interface StepReport {
  /** Weighted mean over the batch's positions, nats. */
  readonly loss: number;
  /** Of the gradient, before it is clipped. */
  readonly norm: number;
  /** Whether the step was left out since one of them is not finite. */
  readonly isSkipped: boolean;
}

/**
 * Takes steps of training: passes forward and back over the parts of a batch, then one update. All
 * sums have one order: the same weights and batches give the same weights, to the bit.
 */
export class Trainer implements Disposable {
  readonly #gpu: Gpu;
  readonly #options: TrainerOptions;
  readonly #network: TrainingNetwork;
  readonly #tables: BatchTables;
  readonly #optimizer: Optimizer;
  readonly #losses: Tensor;
  readonly #readback: Readback;
  #updates: number;
  #skipped: number;
  #skippedInARow = 0;

  private constructor(gpu: Gpu, options: TrainerOptions, readback: Readback) {
    this.#gpu = gpu;
    this.#options = options;
    this.#readback = readback;
    const { config, parameters, batch, microBatch: sequences } = options;
    this.#network = new TrainingNetwork(gpu, config, { parameters, sequences });
    const { modelLength: length, vocabSize: vocabulary } = config;
    this.#tables = new BatchTables(gpu, { sequences, length, vocabulary });
    this.#optimizer = new Optimizer(gpu, parameters, options.optimizer);
    this.#losses = gpu.tensor("losses", [batch * length]);
    this.#updates = options.start?.updates ?? 0;
    this.#skipped = options.start?.skipped ?? 0;
  }

  /** @throws {TypeError} If the kernels cannot take the shape of the network. */
  static async open(gpu: Gpu, options: TrainerOptions): Promise<Trainer> {
    return new Trainer(gpu, options, await Readback.open(gpu, 4 * VERDICT_WORDS));
  }

  /** Updates made so far: steps that were not skipped. */
  get updates(): number {
    return this.#updates;
  }

  /** Steps that were skipped so far. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * Takes one step.
   *
   * @param batch Whose weights are those of the whole batch's mean.
   * @throws {TrainingError} If it is the tenth in a row that has to be skipped.
   * @throws {GpuError} If the device fails.
   */
  async step(
    batch: readonly NoisySequence[],
    { blockSize, rate }: { readonly blockSize: number; readonly rate: number },
  ): Promise<StepReport> {
    const { microBatch } = this.#options;
    let lossCount = 0;
    for (let first = 0; first < batch.length; first += microBatch) {
      lossCount += this.#addGradients(batch.slice(first, first + microBatch), {
        ...{ blockSize, lossFirst: lossCount, part: first / microBatch },
      });
    }
    const { verdict } = this.#optimizer;
    const pass = this.#gpu.pass();
    const update = this.#updates + 1;
    this.#optimizer.update(pass, { losses: this.#losses, lossCount, rate, update });
    pass.submit([{ from: verdict, to: this.#readback.buffer, bytes: 4 * VERDICT_WORDS }]);
    const words = new Float32Array(await this.#readback.read(4 * VERDICT_WORDS));
    const [loss = NaN, norm = NaN, , isFinite] = words;
    this.#count(isFinite === 1);
    return { loss, norm, isSkipped: isFinite !== 1 };
  }

  [Symbol.dispose](): void {
    const own = [this.#network, this.#tables, this.#optimizer, this.#losses, this.#readback];
    for (const each of own) each[Symbol.dispose]();
  }

  /** Gives the number of losses. */
  #addGradients(
    sequences: readonly NoisySequence[],
    { blockSize, lossFirst, part }: { blockSize: number; lossFirst: number; part: number },
  ): number {
    const batch = this.#tables.upload(sequences, blockSize);
    const pass = this.#gpu.pass();
    const dropout = this.#dropout(part);
    this.#network.addGradients(pass, batch, { losses: this.#losses, lossFirst, dropout });
    pass.submit();
    return batch.heads;
  }

  #dropout(part: number): Omit<Dropout, "site"> | null {
    const { dropout: rate, seed, batch, microBatch } = this.#options;
    if (rate === 0) return null;
    const parts = Math.ceil(batch / microBatch);
    return { rate, seed, step: (this.#updates + this.#skipped) * parts + part };
  }

  #count(isFinite: boolean): void {
    if (isFinite) {
      this.#updates++;
      this.#skippedInARow = 0;
      return;
    }
    this.#skipped++;
    this.#skippedInARow++;
    if (this.#skippedInARow < MAX_SKIPPED) return;
    throw new TrainingError(
      `Cannot train: ${MAX_SKIPPED} steps in a row had no finite loss and gradient; ` +
        "lower the learning rate",
    );
  }
}
