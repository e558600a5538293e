import type { FromEngine, Port, StartFailure, StartStage, ToEngine } from "../engine/protocol.ts";
import { tuneLinear } from "../../kernels/mod.ts";
import { serveEngine } from "../engine/worker.ts";
import { Gpu, GpuError } from "../gpu/mod.ts";
import { USUAL_SUB_BLOCK } from "../model/decoding_rules.ts";
import type { Denoiser } from "../model/denoiser.ts";
import { Scorer, scorerLimits } from "../evaluation/scorer.ts";
import { allocateModel, GpuDenoiser, readFamilyConfig } from "../model/mod.ts";
import { Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import type { WeightFormat } from "../weights/formats.ts";
import { scoreTexts, SERVED_SCORING } from "./score_texts.ts";

/** What to load: the first message to the engine's Worker. */
export interface OpenEngine {
  readonly id: string;
  readonly directory: string;
  /** Where the tokenizer is, should the checkpoint have none. */
  readonly tokenizer?: string;
  readonly weights: WeightFormat | null;
  /** Whether kernels are measured first, for choices to go by that. */
  readonly tune: boolean;
  /** Whether keys and values are kept for prompts that begin alike. */
  readonly prefixCache: boolean;
  readonly slots: number;
  /** What a sequence may take at most where it cannot slide. */
  readonly contextLength: number;
  readonly memoryBytes: number | null;
}

/** What the engine works with in place of the denoiser that it is given. */
export type Observe = (denoiser: Denoiser, gpu: Gpu) => Denoiser;

/** Runs an engine on a device of its own until it is closed or fails, and tells the port of that. */
export async function runEngine(
  port: Port<ToEngine, FromEngine>,
  parts: { readonly source: OpenEngine; readonly observe?: Observe },
): Promise<void> {
  try {
    await runOnDevice(port, parts);
    port.postMessage({ type: "closed" });
  } catch (error) {
    port.postMessage({ type: "failed", failure: toFailure(error) });
  }
}

async function runOnDevice(
  port: Port<ToEngine, FromEngine>,
  parts: { readonly source: OpenEngine; readonly observe?: Observe },
): Promise<void> {
  using gpu = await Gpu.open();
  // An engine without work does not look at its device.
  const loss = gpu.lost.then((error) => {
    throw error;
  });
  loss.catch(() => {}); // The end of the device is no loss any more once the engine is closed.
  await Promise.race([openEngine(port, { gpu, ...parts }), loss]);
}

/**
 * Loads a model and runs its engine until the end, in this isolate.
 *
 * @throws {CheckpointError | GpuError} If the model cannot be loaded, or the device fails.
 */
export async function openEngine(
  port: Port<ToEngine, FromEngine>,
  parts: {
    readonly gpu: Gpu;
    readonly source: OpenEngine;
    readonly observe?: Observe;
  },
): Promise<void> {
  const { gpu, source, observe = (denoiser) => denoiser } = parts;
  const { id, directory, weights, slots, prefixCache, contextLength, memoryBytes, tune } = source;
  using checkpoint = Checkpoint.open(directory, source);
  const tell = (stage: StartStage) => (done: number, total: number) =>
    port.postMessage({ type: "progress", stage, done, total });
  const onProgress = tell("loading");
  if (tune) {
    await tuneLinear(gpu, () => performance.now(), { onProgress: tell("measuring kernels") });
  }
  const { pages: scorePages } = scorerLimits(
    { config: readFamilyConfig(checkpoint, source) },
    SERVED_SCORING,
  );
  const options = { weights, slots, contextLength, scorePages, memoryBytes, onProgress };
  const { network, fill } = await allocateModel(gpu, checkpoint, options);
  using _ = network;
  using denoiser = await GpuDenoiser.open(gpu, network, { slots, prefixCache });
  using scorer = await Scorer.open(gpu, network, SERVED_SCORING);
  // The device compiles while the weights are read and packed.
  denoiser.warmUp();
  await fill();
  // What the device does not like about a kernel shows now, not in the first request.
  await gpu.device.queue.onSubmittedWorkDone();
  gpu.check();
  const { config } = network;
  await serveEngine(port, {
    denoiser: observe(denoiser, gpu),
    score: scoreTexts(scorer),
    model: {
      id,
      created: Math.floor(Date.now() / 1000),
      contextLength: config.modelLength,
      slides: config.decoding.slides,
      // The first token of a block would be asked of a row that is not among its own.
      scores: !config.decoding.shiftsLogits,
      vocabSize: config.vocabSize,
      bosToken: config.bosToken,
      eosToken: config.eosToken,
      maskToken: config.maskToken,
      stopTokens: config.stopTokens,
      blockSizes: config.blockSizes,
      defaultBlockSize: config.blockSize,
      defaults: config.defaults,
      defaultSubBlockSize: config.decoding.shiftsLogits ? USUAL_SUB_BLOCK : null,
      adapter: gpu.name,
      isCpu: gpu.isCpu,
    },
  });
}

/** What ended {@linkcode openEngine}, as it goes through the port. */
export function toFailure(error: unknown): StartFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CheckpointError) {
    return { kind: "checkpoint", message, file: error.file, code: error.code };
  }
  return { kind: error instanceof GpuError ? "gpu" : "internal", message };
}
