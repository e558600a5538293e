import { parseConfig, readEnvironment } from "./config.ts";
import { startEngine, startError } from "./engines.ts";
import type { OpenedModel } from "./generate.ts";
import type { GenerateOptions } from "./generate_options.ts";
import { processOutput, ProgressBar } from "./terminal.ts";

/**
 * Starts the engine of the one model that a command works with, and waits for it.
 *
 * @throws {UsageError} If the settings cannot be read.
 * @throws {CheckpointError | EngineStartError} If the model cannot be loaded.
 */
export async function openModel(
  { model, weights }: Pick<GenerateOptions, "model" | "weights">,
): Promise<OpenedModel> {
  const args = [
    ...(model === null ? [] : ["--model", model]),
    ...(weights === null ? [] : ["--weights", weights]),
  ];
  const config = parseConfig(args, readEnvironment((name) => Deno.env.get(name)));
  using progress = new ProgressBar(processOutput(Deno.stderr), "loading");
  const running = startEngine(config.models[0]!, { // There is always a default model.
    weights: config.weights,
    memoryBytes: config.deviceMemoryBytes,
    maxConcurrent: 1,
    maxQueue: 0,
    onProgress: (done, total) => progress.update(done, total),
  });
  try {
    await running.engine.ready;
  } catch (error) {
    running.close();
    throw startError(error);
  }
  return { ...running, close: () => Promise.resolve(running.close()) };
}
