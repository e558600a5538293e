import { tuneLinear } from "../../kernels/mod.ts";
import { Scorer, scorerLimits } from "../evaluation/scorer.ts";
import { Gpu } from "../gpu/mod.ts";
import { allocateModel, defaultFormat, readFamilyConfig } from "../model/mod.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { Checkpoint } from "../weights/checkpoint.ts";
import type { WeightFormat } from "../weights/formats.ts";
import { UsageError } from "./flags.ts";
import { loadTokenizer } from "./load_tokenizer.ts";
import type { Closable } from "./model_command.ts";
import { configOf } from "./open_model.ts";
import { processOutput, ProgressBar } from "./terminal.ts";

/** Enough rows to keep a GPU busy, and few enough for any. */
const SCORING = { rows: 2048 };

/** A model that can be asked for likelihoods, and nothing else. */
export interface OpenedScorer extends Closable {
  readonly id: string;
  readonly scorer: Scorer;
  readonly tokenizer: Tokenizer;
  /** How its matrices are stored on the device. */
  readonly weights: WeightFormat;
}

/**
 * Opens the one model that a command works with, in this isolate.
 *
 * @throws {UsageError} If the settings cannot be read, or the model's family cannot be scored.
 * @throws {CheckpointError} If the checkpoint is damaged or of an unknown family.
 * @throws {GpuError} If there is no device, or it cannot hold the model.
 */
export async function openScorer(
  options: Parameters<typeof configOf>[0],
): Promise<OpenedScorer> {
  const settings = configOf(options);
  const { models: [model], weights, tune } = settings;
  const { context: contextLength, deviceMemoryBytes: memoryBytes } = settings;
  const { id, directory } = model!; // There is always a default model.
  using stack = new DisposableStack();
  using checkpoint = Checkpoint.open(directory, model);
  const config = readFamilyConfig(checkpoint, { contextLength });
  if (config.decoding.shiftsLogits) {
    throw new UsageError(`Cannot score with ${id}: its family has no bound on the likelihood here`);
  }
  const tokenizer = loadTokenizer(checkpoint, config.vocabSize);
  const gpu = stack.use(await Gpu.open());
  using progress = new ProgressBar(processOutput(Deno.stderr), "loading");
  const onProgress = (done: number, total: number) => progress.update(done, total);
  if (tune) {
    await tuneLinear(gpu, () => performance.now(), {
      onProgress: (done, total) => progress.update(done, total, "measuring kernels"),
    });
  }
  const { pages: scorePages } = scorerLimits({ config }, SCORING);
  const loading = { weights, slots: 1, contextLength, scorePages, memoryBytes, onProgress };
  const { network, fill } = await allocateModel(gpu, checkpoint, loading);
  stack.use(network);
  const scorer = stack.use(await Scorer.open(gpu, network, SCORING));
  await fill();
  const opened = stack.move();
  return {
    id,
    scorer,
    tokenizer,
    weights: weights ?? defaultFormat(checkpoint),
    close: async () => {
      // Mesa's software driver crashes where a device goes away under its work.
      await gpu.device.queue.onSubmittedWorkDone();
      opened.dispose();
    },
  };
}
