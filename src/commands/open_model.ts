import { type Config, parseConfig, readEnvironment } from "./config.ts";
import { startEngine, untilReady } from "./engines.ts";
import type { ChatOptions } from "./chat_options.ts";
import type { OpenedModel } from "./model_command.ts";
import { processOutput, ProgressBar } from "./terminal.ts";

/** What flags say about the model to open. */
type ModelOptions =
  & Pick<ChatOptions, "model" | "weights">
  & Partial<Pick<ChatOptions, "chatTemplate">>;

/**
 * The settings of a command that works with one model: those of `serve`, and flags that precede.
 *
 * @throws {UsageError} If the settings cannot be read.
 */
export function configOf(
  { model, weights, chatTemplate = null }: ModelOptions,
): Config {
  const args = [
    ...(model === null ? [] : ["--model", model]),
    ...(weights === null ? [] : ["--weights", weights]),
    ...(chatTemplate === null ? [] : ["--chat-template", chatTemplate]),
  ];
  return parseConfig(args, readEnvironment((name) => Deno.env.get(name)));
}

/**
 * Starts the engine of the one model that a command works with, and waits for it.
 *
 * @throws {UsageError} If the settings cannot be read.
 * @throws {CheckpointError | EngineStartError} If the model cannot be loaded.
 */
export async function openModel(
  options: ModelOptions,
): Promise<OpenedModel> {
  const config = configOf(options);
  using progress = new ProgressBar(processOutput(Deno.stderr), "loading");
  const running = startEngine(config.models[0]!, { // There is always a default model.
    weights: config.weights,
    tune: config.tune,
    prefixCache: config.prefixCache,
    contextLength: config.context,
    memoryBytes: config.deviceMemoryBytes,
    chatTemplate: config.chatTemplate,
    engines: 1,
    maxConcurrent: 1,
    maxQueue: 0,
    onProgress: (...told) => progress.update(...told),
  });
  return await untilReady(running);
}
