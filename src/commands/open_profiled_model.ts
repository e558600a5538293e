import { EngineClient } from "../engine/client.ts";
import { Gpu } from "../gpu/mod.ts";
import { readText, startError } from "./engines.ts";
import type { GenerationOptions } from "./generate_options.ts";
import type { OpenedModel } from "./model_command.ts";
import { openEngine, toFailure } from "./open_engine.ts";
import { configOf } from "./open_model.ts";
import type { ProfileTimes } from "./trace_file.ts";
import { processOutput, ProgressBar } from "./terminal.ts";
import { TimedDenoiser } from "./timed_denoiser.ts";

/** A model whose engine runs in this isolate, and tells how long everything takes. */
export interface ProfiledModel extends OpenedModel {
  /** Waits for what is under way, and gives the times since the last call. */
  takeTimes(): Promise<ProfileTimes>;
}

/**
 * Opens the one model that a command works with on a device that takes times.
 *
 * @throws {UsageError} If the settings cannot be read.
 * @throws {CheckpointError | EngineStartError} If the model cannot be loaded.
 * @throws {GpuError} If the device cannot be had, or cannot take times.
 */
export async function openProfiledModel(
  options: Pick<GenerationOptions, "model" | "weights">,
): Promise<ProfiledModel> {
  const config = configOf(options);
  const { models: [model], weights, tune } = config;
  const { context: contextLength, deviceMemoryBytes: memoryBytes } = config;
  const source = model!; // There is always a default model.
  const text = readText(source, config);
  const gpu = await Gpu.open({ isProfiled: true });
  const { port1, port2 } = new MessageChannel();
  using progress = new ProgressBar(processOutput(Deno.stderr), "loading");
  const engine = new EngineClient(port1, {
    maxConcurrent: 1,
    onProgress: (...told) => progress.update(...told),
  });
  const denoiser = Promise.withResolvers<TimedDenoiser>();
  const close = () => {
    port1.close();
    port2.close();
    gpu[Symbol.dispose]();
  };
  openEngine(port2, {
    gpu,
    // A prompt is to be measured, whatever was generated before.
    source: {
      ...{ ...source, weights, tune, prefixCache: false, contextLength, memoryBytes },
      slots: 1,
    },
    observe: (each) => {
      const timed = new TimedDenoiser(each, () => performance.now());
      denoiser.resolve(timed);
      return timed;
    },
  }).catch((error) => engine.fail(toFailure(error)));
  try {
    await engine.ready;
  } catch (error) {
    close();
    throw startError(error);
  }
  const takeTimes = async () => ({
    spans: await (await denoiser.promise).take(),
    bursts: await gpu.profiler!.take(), // It was opened with one.
  });
  return { engine, ...text, takeTimes, close: () => Promise.resolve(close()) };
}
