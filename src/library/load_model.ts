import { basename, fromFileUrl, resolve } from "@std/path";
import { DEFAULT_CONTEXT } from "../commands/capacity.ts";
import { ENGINE_WORKER, startEngine, untilReady } from "../commands/engines.ts";
import { BackgroundWorker } from "./background_worker.ts";
import { Engine } from "./engine.ts";

/** How a model is loaded; each may be left out. */
export interface LoadOptions {
  /** Storage on the device; else as precise as the file. */
  readonly weights?: "f32" | "f16" | "int8" | "int4";
  /** How chats become prompts, in place of the model's own way. */
  readonly chatTemplate?: "plain";
  /** Texts that are generated at a time, from 1; else 8. More wait. */
  readonly maxConcurrent?: number;
  /**
   * Tokens of a prompt and its answer at most, for models whose context does not slide; else 4096, or
   * what the model has. The device holds room for as many of every text.
   */
  readonly contextLength?: number;
  /** Bytes that the model may take on the device; else what the device has. */
  readonly memoryBytes?: number;
  /** Called while weights are read, with how much is done of how much. */
  readonly onProgress?: (done: number, total: number) => void;
}

const MAX_CONCURRENT = 8;
/** As many texts as anybody may want to wait. */
const MAX_QUEUE = 65_536;

/**
 * Loads the checkpoint in a directory onto the device, in a Worker of its own.
 *
 * @throws {CheckpointError} If the checkpoint is damaged or of an unknown family.
 * @throws {EngineStartError} If there is no device, or it cannot hold the model.
 */
export async function loadModel(
  directory: string | URL,
  options: LoadOptions = {},
): Promise<Engine> {
  const path = resolve(directory instanceof URL ? fromFileUrl(directory) : directory);
  const { onProgress, weights = null, chatTemplate = null, memoryBytes = null } = options;
  const { maxConcurrent = MAX_CONCURRENT, contextLength = DEFAULT_CONTEXT } = options;
  for (const [name, value] of Object.entries({ maxConcurrent, contextLength })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new RangeError(
      `Cannot load the model: ${name} is ${value}, expected an integer from 1`,
    );
  }
  let worker: BackgroundWorker | null = null;
  const running = startEngine({ id: basename(path), directory: path }, {
    ...{ weights, chatTemplate, memoryBytes, maxConcurrent, contextLength },
    // What else it is told is for commands.
    ...(onProgress && { onProgress: (done: number, total: number) => onProgress(done, total) }),
    createWorker: () => worker = new BackgroundWorker(ENGINE_WORKER),
    tune: false,
    engines: 1,
    prefixCache: true,
    maxQueue: MAX_QUEUE,
  });
  const close = async () => {
    await running.close();
    worker?.retire();
  };
  return new Engine(await untilReady({ ...running, close }));
}
