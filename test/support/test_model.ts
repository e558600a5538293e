import { delay } from "@std/async";
import { EngineSupervisor, type EngineWorker } from "../../src/commands/engine_supervisor.ts";
import { toFailure } from "../../src/commands/open_engine.ts";
import { EnginePool } from "../../src/engine/pool.ts";
import type { FromEngine, ToEngine } from "../../src/engine/protocol.ts";
import { type OwnedEngine, SequenceError } from "../../src/engine/request.ts";
import { serveEngine } from "../../src/engine/worker.ts";
import type { ChatTemplate } from "../../src/text/chat_template.ts";
import { byteTokenizer } from "../server/support.ts";
import type { FaultyModel } from "./faulty_model.ts";
import { ScriptedDenoiser } from "./scripted_denoiser.ts";
import { BYTE_MODEL } from "./scripted_engine.ts";
import { scriptedScore } from "./scripted_score.ts";

/** How a {@linkcode TestModel} is started. */
export interface TestModelOptions {
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  readonly stepMs: number;
}

/**
 * The model `test-copy` behind the engine's own loop, port, supervisor and pool, in this isolate. Needs
 * no files and no device.
 */
export class TestModel implements FaultyModel {
  readonly tokenizer = byteTokenizer;
  readonly chat: ChatTemplate = {
    switches: [],
    tokens: (messages) =>
      byteTokenizer.encode(messages.findLast(({ role }) => role === "user")?.content ?? ""),
  };
  readonly #options: TestModelOptions;
  readonly #supervisor: EngineSupervisor;
  readonly #pool: EnginePool;
  #worker: ScriptedWorker | null = null;
  #replaced = Promise.withResolvers<void>();
  /** How long a lost device stays away. */
  #awayMs = 0;

  constructor(options: TestModelOptions) {
    this.#options = options;
    this.#supervisor = new EngineSupervisor({
      maxConcurrent: options.maxConcurrent,
      startWorker: () => this.#startWorker(),
      onRoom: () => this.#pool.serveLine(),
    });
    this.#pool = new EnginePool(this.#supervisor.engine, options);
  }

  get engine(): OwnedEngine {
    return this.#pool;
  }

  async loseDevice(ms: number): Promise<void> {
    if (this.engine.status !== "ready") return;
    const { promise } = this.#replaced;
    this.#awayMs = ms;
    this.#worker?.denoiser.loseDevice();
    await promise;
  }

  async breakWorker(): Promise<void> {
    if (this.engine.status !== "ready") return;
    const { promise } = this.#replaced;
    this.#worker?.onerror?.(new ErrorEvent("error", { message: "an error was ordered" }));
    await promise;
  }

  failNextStep(): void {
    this.#worker?.denoiser.failNextStep();
  }

  async close(): Promise<void> {
    this.#pool.abort(new SequenceError("draining", "The server is shutting down"));
    await this.#supervisor.close();
  }

  #startWorker(): ScriptedWorker {
    this.#replaced.resolve();
    this.#replaced = Promise.withResolvers();
    const { maxConcurrent: slots, stepMs } = this.#options;
    const denoiser = new ScriptedDenoiser({ limits: { slots }, stepMs });
    this.#worker = new ScriptedWorker(denoiser, this.#awayMs);
    this.#awayMs = 0;
    return this.#worker;
  }
}

/** A Worker that is none: an engine in this isolate, which is ready after `awayMs`. */
class ScriptedWorker implements EngineWorker {
  readonly denoiser: ScriptedDenoiser;
  onerror: EngineWorker["onerror"] = null;
  readonly #channel = new MessageChannel();
  readonly #end = new AbortController();

  constructor(denoiser: ScriptedDenoiser, awayMs: number) {
    this.denoiser = denoiser;
    // Ends with the process or the Worker, whose reason is of no interest.
    this.#serve(awayMs).catch((error) => {
      if (!this.#end.signal.aborted) throw error;
    });
  }

  get onmessage(): EngineWorker["onmessage"] {
    return this.#channel.port1.onmessage;
  }

  set onmessage(listener: ((event: MessageEvent<FromEngine>) => void) | null) {
    this.#channel.port1.onmessage = listener;
  }

  postMessage(message: ToEngine): void {
    this.#channel.port1.postMessage(message);
  }

  terminate(): void {
    this.#end.abort();
    this.denoiser.loseDevice();
    this.#channel.port1.close();
    this.#channel.port2.close();
  }

  async #serve(awayMs: number): Promise<void> {
    await delay(awayMs, { signal: this.#end.signal });
    const { denoiser } = this;
    const { port2 } = this.#channel;
    const model = { ...BYTE_MODEL, isCpu: false };
    try {
      // An engine that has nothing to do would not notice the loss by itself.
      await Promise.race([
        serveEngine(port2, { denoiser, score: scriptedScore, model }),
        denoiser.lost,
      ]);
      port2.postMessage({ type: "closed" });
    } catch (error) {
      port2.postMessage({ type: "failed", failure: toFailure(error) });
    }
  }
}
