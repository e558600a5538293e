/** The engine's Worker: opens the device, loads the model, and runs the engine until the end. */
import type { FromEngine, Port, StartFailure, ToEngine } from "../engine/protocol.ts";
import { serveEngine } from "../engine/worker.ts";
import { Gpu, GpuError } from "../gpu/mod.ts";
import { GpuDenoiser, loadModel } from "../model/mod.ts";
import { Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import type { WeightFormat } from "../weights/formats.ts";

/** The first message to the Worker: what to load. */
export interface OpenEngine {
  readonly id: string;
  readonly directory: string;
  readonly weights: WeightFormat | null;
  readonly slots: number;
  readonly memoryBytes: number | null;
}

// The library's types are those of a window. The first message is OpenEngine, all others ToEngine.
const scope = self as unknown as Port<ToEngine, FromEngine>;

async function openEngine(options: OpenEngine): Promise<void> {
  const { id, directory, weights, slots, memoryBytes } = options;
  using gpu = await Gpu.open();
  using checkpoint = Checkpoint.open(directory);
  const onProgress = (done: number, total: number) =>
    scope.postMessage({ type: "progress", done, total });
  using network = await loadModel(gpu, checkpoint, { weights, slots, memoryBytes, onProgress });
  using denoiser = await GpuDenoiser.open(gpu, network, { slots });
  const { config } = network;
  await serveEngine(scope, {
    denoiser,
    model: {
      id,
      created: Math.floor(Date.now() / 1000),
      contextLength: config.modelLength,
      vocabSize: config.vocabSize,
      bosToken: config.bosToken,
      eosToken: config.eosToken,
      maskToken: config.maskToken,
      blockSizes: config.blockSizes,
      defaultBlockSize: config.blockSize,
      adapter: gpu.name,
      isCpu: gpu.isCpu,
    },
  });
}

function toFailure(error: unknown): StartFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CheckpointError) {
    return { kind: "checkpoint", message, file: error.file, code: error.code };
  }
  return { kind: error instanceof GpuError ? "gpu" : "internal", message };
}

self.onmessage = async ({ data }: MessageEvent<OpenEngine>) => {
  try {
    await openEngine(data);
  } catch (error) {
    scope.postMessage({ type: "failed", failure: toFailure(error) });
  }
};
