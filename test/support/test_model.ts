import { delay } from "@std/async";
import type { RunningModel } from "../../src/commands/engines.ts";
import { EngineClient } from "../../src/engine/client.ts";
import type { FromEngine, Port, ToEngine } from "../../src/engine/protocol.ts";
import { SequenceError } from "../../src/engine/request.ts";
import { serveEngine } from "../../src/engine/worker.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import type { ChatTemplate } from "../../src/text/chat_template.ts";
import { byteTokenizer } from "../server/support.ts";
import { ScriptedDenoiser } from "./scripted_denoiser.ts";
import { BYTE_MODEL } from "./scripted_engine.ts";

/** How a {@linkcode TestModel} is started. */
export interface TestModelOptions {
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  readonly stepMs: number;
}

/**
 * The model `test-copy` behind the engine's own loop and port, in this isolate. Needs no files and
 * no device.
 */
export class TestModel implements RunningModel {
  readonly engine: EngineClient;
  readonly tokenizer = byteTokenizer;
  readonly chat: ChatTemplate = {
    tokens: (messages) =>
      byteTokenizer.encode(messages.findLast(({ role }) => role === "user")?.content ?? ""),
  };
  readonly #options: TestModelOptions;
  readonly #channel = new MessageChannel();
  readonly #end = new AbortController();
  #denoiser: ScriptedDenoiser;
  /** How long a lost device stays away. */
  #awayMs = 0;

  constructor(options: TestModelOptions) {
    this.#options = options;
    this.engine = new EngineClient(this.#channel.port1, options);
    this.#denoiser = this.#openDenoiser();
    // Ends with the process, or with close(), whose reason is of no interest.
    this.#serve(this.#channel.port2).catch((error) => {
      if (!this.#end.signal.aborted) throw error;
    });
  }

  /** Behaves as if the device were lost, and a new one there `ms` later. */
  loseDevice(ms: number): void {
    if (this.engine.status === "device_lost") return;
    this.#awayMs = ms;
    this.#denoiser.loseDevice();
    // As a Worker's end is noticed: without waiting for what it still has to say.
    this.engine.fail({ kind: "gpu", message: "The device was lost" });
  }

  /** Makes the next denoising step of one sequence fail. */
  failNextStep(): void {
    this.#denoiser.failNextStep();
  }

  close(): void {
    this.#end.abort();
    this.engine.abort(new SequenceError("draining", "The server is shutting down"));
    this.#channel.port1.close();
    this.#channel.port2.close();
  }

  #openDenoiser(): ScriptedDenoiser {
    const { maxConcurrent: slots, stepMs } = this.#options;
    return new ScriptedDenoiser({ limits: { slots }, stepMs });
  }

  /** Runs one engine after the other, each as long as its device is there. */
  async #serve(port: Port<ToEngine, FromEngine>): Promise<never> {
    while (true) {
      const denoiser = this.#denoiser;
      const model = { ...BYTE_MODEL, isCpu: false };
      try {
        // An engine that has nothing to do would not notice the loss by itself.
        await Promise.race([serveEngine(port, { denoiser, model }), denoiser.lost]);
      } catch (error) {
        if (!(error instanceof GpuError)) throw error;
      }
      await delay(this.#awayMs, { signal: this.#end.signal });
      this.#denoiser = this.#openDenoiser();
    }
  }
}
