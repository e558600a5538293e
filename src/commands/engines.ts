import { type EngineClientOptions, EngineStartError } from "../engine/client.ts";
import { EnginePool } from "../engine/pool.ts";
import { type OwnedEngine, SequenceError } from "../engine/request.ts";
import type { LoadedModel } from "../server/loaded_models.ts";
import { PlainChatTemplate } from "../text/chat_template.ts";
import { readFamilyConfig } from "../model/mod.ts";
import { Checkpoint, CheckpointError } from "../weights/checkpoint.ts";
import type { Config, ModelSource } from "./config.ts";
import { EngineSupervisor, type EngineWorker } from "./engine_supervisor.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { loadTokenizer } from "./load_tokenizer.ts";
import type { OpenEngine } from "./open_engine.ts";

/** A model with its engine, which may still be loading. */
export interface RunningModel extends LoadedModel {
  readonly engine: OwnedEngine;
  /** Ends the engine; resolves when its device is free, or after a second. */
  close(): Promise<void>;
}

/** A Worker that takes {@linkcode OpenEngine} before all other messages. */
type UnopenedWorker = EngineWorker & { postMessage(message: OpenEngine): void };

/** How an engine is opened. */
export interface StartOptions extends Omit<OpenEngine, "id" | "directory" | "slots"> {
  /** Devices that share the work: each has the weights, and its part of the slots. */
  readonly engines: number;
  /** At least one for each engine. */
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  /** How chats become prompts, in place of the model's own way. */
  readonly chatTemplate: Config["chatTemplate"];
  /** Called while the model loads. */
  readonly onProgress?: NonNullable<EngineClientOptions["onProgress"]>;
  /** Told of engines that fail and come back; else stderr is. */
  readonly report?: (message: string) => void;
  /** Makes the Worker that the engine runs in: another module for tests of what can go wrong. */
  readonly createWorker?: () => UnopenedWorker;
}

/**
 * Loads the tokenizer and starts the engine of a model in a Worker of its own, and further ones when
 * it is ready, whose kernels the driver then has. Once ready, an engine comes back by itself when it
 * fails.
 *
 * @throws {CheckpointError} If the checkpoint cannot be served; what only the weights' data shows
 * comes with the engine's `ready`.
 */
export function startEngine(source: ModelSource, options: StartOptions): RunningModel {
  const { report = console.error } = options;
  const text = readText(source, options);
  const supervise = (index: number) =>
    superviseEngine(source, { ...options, onRoom: () => pool.serveLine() }, index);
  const first = supervise(0);
  const pool = new EnginePool(first.engine, options);
  const supervisors = [first];
  let isClosed = false;
  const startOther = (index: number) => {
    const other = supervise(index);
    supervisors.push(other);
    pool.add(other.engine);
    other.engine.ready.catch((error: Error) => {
      pool.remove(other.engine);
      other.dismiss();
      const { slots } = other.engine.stats;
      report(`${source.id}: one engine less, ${slots} sequences fewer at a time: ${error.message}`);
    });
  };
  first.engine.ready.then(() => {
    if (isClosed) return;
    for (let index = 1; index < options.engines; index++) startOther(index);
  }).catch(() => {}); // Reported to those who ask.
  const close = async () => {
    isClosed = true;
    pool.drain();
    pool.abort(new SequenceError("draining", "The server is shutting down"));
    await Promise.all(supervisors.map((each) => each.close()));
  };
  return { engine: pool, ...text, close };
}

/** Starts one of a model's engines. */
function superviseEngine(
  source: ModelSource,
  options: StartOptions & Pick<EngineClientOptions, "onRoom">,
  index: number,
): EngineSupervisor {
  const { weights, tune, prefixCache, contextLength, memoryBytes, engines, ...rest } = options;
  const { createWorker = createEngineWorker, report = console.error, onProgress, ...others } = rest;
  const slots = Math.floor((options.maxConcurrent + engines - 1 - index) / engines);
  // Others would measure beside one that serves, and find out little.
  const isTuned = tune && index === 0;
  const settings = { weights, tune: isTuned, prefixCache, contextLength, slots };
  // Where all of it holds one engine alone, one there shall be.
  const share = memoryBytes === null || index === 0
    ? memoryBytes
    : Math.floor(memoryBytes / engines);
  const open: OpenEngine = { ...source, ...settings, memoryBytes: share };
  return new EngineSupervisor({
    ...others,
    // The bar shows the first one.
    ...(index === 0 && onProgress && { onProgress }),
    maxConcurrent: slots,
    startWorker: () => {
      const worker = createWorker();
      worker.postMessage(open);
      return worker;
    },
    onFailure: ({ message }) => report(`${source.id}: the engine failed: ${message}`),
    onRecovery: () => report(`${source.id}: the engine is back`),
  });
}

/** The module that an engine's Worker runs. */
export const ENGINE_WORKER = new URL("./engine_worker.ts", import.meta.url);

function createEngineWorker(): Worker {
  return new Worker(ENGINE_WORKER, { type: "module" });
}

/**
 * Waits for an engine that was started; one that does not start is closed.
 *
 * @throws {CheckpointError | EngineStartError} Why it does not.
 */
export async function untilReady(running: RunningModel): Promise<RunningModel> {
  try {
    await running.engine.ready;
    return running;
  } catch (error) {
    await running.close();
    throw startError(error);
  }
}

/** What went wrong at the start: a damaged checkpoint as such, anything else as it is. */
export function startError(error: unknown): unknown {
  if (!(error instanceof EngineStartError)) return error;
  const { kind, file, code, message } = error.failure;
  if (kind !== "checkpoint" || file === undefined) return error;
  // The code is one that a CheckpointError in the Worker had.
  return new CheckpointError(file, code as CheckpointError["code"], message, { cause: error });
}

/**
 * Loads from a model's directory what turns text into tokens.
 *
 * @throws {CheckpointError} If it cannot be read or used.
 */
export function readText(
  source: Omit<ModelSource, "id">,
  { chatTemplate }: Pick<StartOptions, "chatTemplate">,
): Pick<LoadedModel, "tokenizer" | "chat"> {
  using checkpoint = Checkpoint.open(source.directory, source);
  const tokenizer = loadTokenizer(checkpoint, readFamilyConfig(checkpoint).vocabSize);
  const chat = chatTemplate === "plain"
    ? new PlainChatTemplate(tokenizer)
    : loadChatTemplate(checkpoint, tokenizer);
  return { tokenizer, chat };
}
