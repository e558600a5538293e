import { Worker } from "node:worker_threads";
import type { EngineWorker } from "../commands/engine_supervisor.ts";

/**
 * A Worker that, once retired, does not keep its process: Node's can be told so, the web's cannot.
 *
 * Terminating it instead would unload the driver in its thread, and a process that exits meanwhile
 * crashes in the driver's own exit handlers.
 */
export class BackgroundWorker implements EngineWorker {
  readonly #worker: Worker;
  onmessage: EngineWorker["onmessage"] = null;
  onerror: EngineWorker["onerror"] = null;

  constructor(url: URL) {
    this.#worker = new Worker(url);
    this.#worker.on("message", (data) => this.onmessage?.(new MessageEvent("message", { data })));
    this.#worker.on("error", ({ message }) => this.onerror?.(new ErrorEvent("error", { message })));
  }

  postMessage(message: unknown): void {
    this.#worker.postMessage(message);
  }

  terminate(): void {
    void this.#worker.terminate();
  }

  /** Leaves it alone until the process ends, which no longer waits for it. */
  retire(): void {
    this.#worker.unref();
  }
}
