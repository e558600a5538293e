import { join } from "@std/path";
import { TIMES } from "../diffusion/noise.ts";
import type { NoiseScheduleName } from "../diffusion/noise.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { Bd3lmConfig } from "../model/bd3lm_config.ts";
import { searchTimes } from "./clip_search.ts";
import { Evaluator } from "./evaluator.ts";
import { learningRate, type RateSchedule } from "./learning_rate.ts";
import { lossCurve } from "./loss_curve.ts";
import { drawNoise } from "./noise.ts";
import type { OptimizerSettings } from "./optimizer.ts";
import type { Parameters } from "./parameters.ts";
import { ProgressFile, type ProgressRow } from "./progress_file.ts";
import { saveTraining } from "./saved_training.ts";
import { Trainer } from "./trainer.ts";
import type { Windows } from "./windows.ts";

/** Part of a training with one block size. */
export interface Stage {
  /** 1 is autoregressive, the model's length is full diffusion. */
  readonly blockSize: number;
  readonly updates: number;
}

/** How a training goes. */
export interface SessionSettings {
  /** One after the other, with the same weights and optimiser. */
  readonly stages: readonly Stage[];
  readonly batch: number;
  readonly microBatch: number;
  readonly rate: Omit<RateSchedule, "updates">;
  readonly optimizer: OptimizerSettings;
  readonly dropout: number;
  readonly schedule: NoiseScheduleName;
  /** Between which times noise is drawn at first. */
  readonly times: readonly [number, number];
  readonly isAntithetic: boolean;
  /** Updates from one search for better times to the next; 0 never searches. */
  readonly searchEvery: number;
  readonly evaluateEvery: number;
  readonly saveEvery: number;
  readonly seed: number;
}

/** What a training works on. */
export interface SessionParts {
  readonly config: Bd3lmConfig;
  /** `config.json` of the model. */
  readonly configFile: Readonly<Record<string, unknown>>;
  readonly parameters: Parameters;
  readonly windows: Windows;
  /** Held-out windows; none where there is no such text. */
  readonly heldOut: readonly Uint32Array[];
  /** Where checkpoints, table and curve go. */
  readonly directory: string;
  /** Checkpoint that the tokenizer is taken over from. */
  readonly base: string;
  /** What was made before. */
  readonly start: {
    readonly updates: number;
    readonly skipped: number;
    readonly times: readonly [number, number];
  };
  /** Stands in checkpoints for a resumed training to compare. */
  readonly told: Readonly<Record<string, unknown>>;
}

/** How far a training is. */
export interface Progress extends ProgressRow {
  readonly updates: number;
  readonly secondsLeft: number;
}

/** What a training is watched with. */
export interface SessionWatch {
  /** Once aborted, the step under way is finished and saved. */
  readonly signal: AbortSignal;
  /** A clock in milliseconds. */
  readonly now: () => number;
  readonly onProgress: (progress: Progress) => void;
  readonly onSaved: (path: string) => void;
}

/**
 * Trains through all stages. Whatever ends it, what is lost are the steps since the last
 * checkpoint; a training that goes on from there makes the same ones again, to the bit.
 *
 * @throws {TrainingError} If steps have no finite loss any more.
 * @throws {GpuError} If the device fails.
 */
export async function runSession(
  gpu: Gpu,
  settings: SessionSettings,
  { parts, watch }: { readonly parts: SessionParts; readonly watch: SessionWatch },
): Promise<void> {
  const { config, parameters, start } = parts;
  const { batch, microBatch, optimizer, dropout, seed } = settings;
  using trainer = await Trainer.open(gpu, {
    ...{ config, parameters, optimizer, batch, microBatch, dropout, seed, start },
  });
  using evaluator = await Evaluator.open(gpu, { config, parameters, sequences: microBatch, seed });
  await new Session(settings, { ...parts, trainer, evaluator, watch }).run();
}

class Session {
  readonly #settings: SessionSettings;
  readonly #parts: SessionParts & {
    readonly trainer: Trainer;
    readonly evaluator: Evaluator;
    readonly watch: SessionWatch;
  };
  readonly #updates: number;
  readonly #table: ProgressFile;
  #times: readonly [number, number];

  constructor(
    settings: SessionSettings,
    parts: SessionParts & { trainer: Trainer; evaluator: Evaluator; watch: SessionWatch },
  ) {
    this.#settings = settings;
    this.#parts = parts;
    this.#updates = settings.stages.reduce((sum, each) => sum + each.updates, 0);
    this.#table = new ProgressFile(join(parts.directory, "progress.csv"), parts.start.updates);
    this.#times = parts.start.times;
  }

  async run(): Promise<void> {
    const { trainer, watch } = this.#parts;
    const { saveEvery } = this.#settings;
    let saved = trainer.updates;
    while (trainer.updates < this.#updates && !watch.signal.aborted) {
      const { isSkipped } = await this.#step();
      if (isSkipped || trainer.updates % saveEvery !== 0) continue;
      await this.#save();
      saved = trainer.updates;
    }
    if (saved < trainer.updates) await this.#save();
  }

  async #step(): Promise<{ isSkipped: boolean }> {
    const { trainer, watch, windows, config } = this.#parts;
    const { batch, schedule, isAntithetic, seed, rate: course } = this.#settings;
    const begin = watch.now();
    const update = trainer.updates + 1;
    // Steps that were skipped drew their windows and noise all the same.
    const step = trainer.updates + trainer.skipped;
    const blockSize = this.#stageOf(update).blockSize;
    const times = this.#timesFor(update);
    const sequences = drawNoise(windows.take(step * batch, batch), {
      ...{ blockSize, maskToken: config.maskToken, schedule, times, isAntithetic, seed, step },
    });
    const rate = learningRate(update, { ...course, updates: this.#updates });
    const { loss, norm, isSkipped } = await trainer.step(sequences, { blockSize, rate });
    const seconds = (watch.now() - begin) / 1000;
    if (isSkipped) return { isSkipped };
    const nelbo = await this.#evaluate(update, blockSize);
    const row: ProgressRow = {
      ...{ update, blockSize, loss, gradientNorm: norm, rate, nelbo },
      tokensPerSecond: batch * config.modelLength / seconds,
      ...{ beta: times[0], omega: times[1], skipped: trainer.skipped },
    };
    this.#table.append(row);
    const secondsLeft = (this.#updates - update) * (watch.now() - begin) / 1000;
    watch.onProgress({ ...row, updates: this.#updates, secondsLeft });
    return { isSkipped };
  }

  /** The bound on held-out text, and new times, where it is time for them. */
  async #evaluate(update: number, blockSize: number): Promise<number | null> {
    const { evaluator, heldOut } = this.#parts;
    const { evaluateEvery, searchEvery } = this.#settings;
    if (heldOut.length === 0) return null;
    if (searchEvery > 0 && update % searchEvery === 0 && blockSize > 1) {
      const blocks = await evaluator.blockLosses(heldOut, { blockSize, step: update });
      this.#times = searchTimes(blocks, blockSize);
    }
    const isDue = update % evaluateEvery === 0 || update === this.#updates;
    return isDue ? await evaluator.nelbo(heldOut, blockSize) : null;
  }

  /** Times are searched for one block size: another stage begins with those that were asked for. */
  #timesFor(update: number): readonly [number, number] {
    const { blockSize } = this.#stageOf(update);
    if (update > 1 && this.#stageOf(update - 1) !== this.#stageOf(update)) {
      this.#times = this.#settings.times;
    }
    return blockSize === 1 ? TIMES : this.#times;
  }

  #stageOf(update: number): Stage {
    let end = 0;
    for (const stage of this.#settings.stages) {
      end += stage.updates;
      if (update <= end) return stage;
    }
    return this.#settings.stages.at(-1)!; // There is always one.
  }

  async #save(): Promise<void> {
    const { trainer, watch, parameters, directory, base, configFile, told } = this.#parts;
    const { updates, skipped } = trainer;
    const { blockSize } = this.#stageOf(updates);
    const path = await saveTraining(directory, {
      ...{ parameters, base },
      state: { updates, skipped, times: [...this.#times], settings: { ...told } },
      config: { ...configFile, block_size: blockSize, dropout: this.#settings.dropout },
    });
    Deno.writeTextFileSync(join(directory, "loss.svg"), lossCurve(this.#table.rows));
    watch.onSaved(path);
  }
}
