import { delay } from "@std/async";
import { EngineClient, type EngineClientOptions } from "../engine/client.ts";
import type { FromEngine, Port, StartFailure, ToEngine } from "../engine/protocol.ts";

/** Between two tries to start an engine, at most. */
const LONGEST_WAIT_MS = 30_000;

/** How long an engine may take to end: a few passes. */
const CLOSING_MS = 1000;

/** How long the end of a terminated Worker may take, of which nothing tells. */
const TEARDOWN_MS = 500;

/** What an engine runs in: a Worker, seen from outside. */
export interface EngineWorker extends Port<FromEngine, ToEngine> {
  /** Told of an error that nothing in the Worker has caught, by which it has ended. */
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

/** Calls `work` after `ms`, unless what it returns is called before. */
export type Schedule = (work: () => void, ms: number) => () => void;

/** How an {@linkcode EngineSupervisor} is made. */
export interface SupervisorOptions extends Omit<EngineClientOptions, "onReady"> {
  /** Starts a Worker that has been told what to load. */
  readonly startWorker: () => EngineWorker;
  /** Called when an engine that had failed takes sequences again. */
  readonly onRecovery?: () => void;
  readonly schedule?: Schedule;
}

/**
 * An engine that outlives its device: where its Worker fails, and the first one was ready before,
 * another one takes its place. A Worker's end gives back all that it held, the device included.
 */
export class EngineSupervisor {
  readonly engine: EngineClient;
  readonly #options: SupervisorOptions;
  readonly #schedule: Schedule;
  /** The Worker in charge; none while the next one is waited for. */
  #worker: EngineWorker | null;
  #cancelStart = () => {};
  /** Workers that failed since one was ready. */
  #failures = 0;
  #isClosed = false;
  /** When the last Worker was terminated, by the clock of `performance`. */
  #dismissedAt = -Infinity;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#schedule = options.schedule ?? schedule;
    const worker = this.#startWorker();
    this.#worker = worker;
    this.engine = new EngineClient(worker, {
      ...options,
      onReady: () => this.#welcome(),
      onFailure: (failure) => this.#replace(failure),
    });
  }

  /**
   * Ends the engine for good; resolves when its device is free, or after a second.
   *
   * The Worker stays until the process ends: its end would unload the driver, which crashes a
   * process that is about to exit and calls the driver's own exit handlers. One that has just failed
   * gets the time to end before that.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelStart();
    const grace = Promise.withResolvers<void>();
    const stopClock = this.#schedule(grace.resolve, CLOSING_MS);
    await Promise.race([this.engine.close(), grace.promise]);
    stopClock();
    const left = this.#dismissedAt + TEARDOWN_MS - performance.now();
    if (left > 0) await delay(left);
  }

  /** Ends the Worker of an engine that has failed. */
  dismiss(): void {
    if (this.#worker === null) return;
    this.#worker.terminate();
    this.#worker = null;
    this.#dismissedAt = performance.now();
  }

  #welcome(): void {
    const isBack = this.#failures > 0;
    this.#failures = 0;
    if (isBack) this.#options.onRecovery?.();
  }

  #replace(failure: StartFailure): void {
    if (this.#isClosed) return;
    this.dismiss();
    const waitMs = this.#failures === 0 ? 0 : 1000 * 2 ** (this.#failures - 1);
    this.#failures += 1;
    this.#options.onFailure?.(failure);
    this.#cancelStart = this.#schedule(() => {
      this.#worker = this.#startWorker();
      this.engine.attach(this.#worker);
    }, Math.min(waitMs, LONGEST_WAIT_MS));
  }

  #startWorker(): EngineWorker {
    const worker = this.#options.startWorker();
    worker.onerror = (event) => {
      event.preventDefault(); // Or it would end this isolate, too.
      if (worker !== this.#worker) return;
      this.engine.fail({ kind: "internal", message: event.message });
    };
    return worker;
  }
}

function schedule(work: () => void, ms: number): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}
