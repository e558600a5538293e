import { Channel } from "./channel.ts";
import { addUse, NO_USE } from "./prefix_cache_use.ts";
import type {
  EngineLoad,
  FromEngine,
  Port,
  StartFailure,
  StartStage,
  ToEngine,
} from "./protocol.ts";
import {
  busyCode,
  BusyError,
  type EngineStats,
  type Generation,
  type ModelInfo,
  type PooledEngine,
  SequenceError,
  type SequenceRequest,
} from "./request.ts";
import type { ScoreRequest, Scoring, TextScore } from "./score.ts";

/** How an {@linkcode EngineClient} is made. */
export interface EngineClientOptions {
  /** Sequences that run at a time: the slots of the engine. */
  readonly maxConcurrent: number;
  /** Called when more sequences can be taken than before, and when none can be any more. */
  readonly onRoom?: () => void;
  /** Called while the model loads for the first time. */
  readonly onProgress?: (done: number, total: number, stage: StartStage) => void;
  /** Called when sequences are taken, for the first time and after a failure. */
  readonly onReady?: () => void;
  /** Called when an engine fails, unless none was ever ready: `ready` tells of that. */
  readonly onFailure?: (failure: StartFailure) => void;
}

/** What an engine holds that is not there. */
const NOTHING: EngineLoad = {
  usedPages: 0,
  freePages: 0,
  denoisePasses: 0,
  commitPasses: 0,
  prefixCache: NO_USE,
  memory: { weights: 0, cache: 0, scratch: 0 },
};

/** Thrown when an engine does not start. */
export class EngineStartError extends Error {
  override readonly name = "EngineStartError";
  constructor(readonly failure: StartFailure) {
    super(failure.message);
  }
}

/** The main isolate's end of the port: the engine as the server sees it. */
export class EngineClient implements PooledEngine {
  #port: Port<FromEngine, ToEngine>;
  readonly #options: EngineClientOptions;
  readonly #channels = new Map<number, Channel>();
  readonly #scorings = new Map<number, PromiseWithResolvers<readonly TextScore[] | null>>();
  readonly #ready = Promise.withResolvers<ModelInfo>();
  #model: ModelInfo | null = null;
  #state: PooledEngine["status"] = "loading";
  #nextId = 0;
  /** As the Worker told last, counts summed up. */
  #load = NOTHING;
  #losses = 0;
  readonly #closed = Promise.withResolvers<void>();

  constructor(port: Port<FromEngine, ToEngine>, options: EngineClientOptions) {
    this.#port = port;
    this.#options = options;
    this.#ready.promise.catch(() => {}); // Reported to those who ask.
    this.attach(port);
  }

  /** Goes on with the engine at `port`, in place of one that has failed. */
  attach(port: Port<FromEngine, ToEngine>): void {
    this.#port = port;
    port.onmessage = ({ data }) => this.#receive(data);
  }

  /**
   * Resolves when sequences are taken.
   *
   * @throws {EngineStartError} If the engine does not start.
   */
  get ready(): Promise<ModelInfo> {
    return this.#ready.promise;
  }

  get model(): ModelInfo {
    if (!this.#model) throw new TypeError("Cannot tell the model: it is still loading");
    return this.#model;
  }

  get status(): PooledEngine["status"] {
    return this.#state;
  }

  get stats(): EngineStats {
    return {
      ...this.#load,
      losses: this.#losses,
      slots: this.#options.maxConcurrent,
      waiting: 0,
      running: this.#channels.size,
      scorings: this.#scorings.size,
    };
  }

  submit(requests: readonly SequenceRequest[]): Generation[] {
    this.#expectReady();
    const { maxConcurrent } = this.#options;
    if (this.#channels.size + requests.length > maxConcurrent) throw new BusyError("queue_full");
    return requests.map((request) => this.#submit(request));
  }

  score(request: ScoreRequest): Scoring {
    this.#expectReady();
    const id = this.#nextId++;
    const scores = Promise.withResolvers<readonly TextScore[] | null>();
    scores.promise.catch(() => {}); // Reported to those who ask.
    this.#scorings.set(id, scores);
    this.#port.postMessage({ type: "score", id, request });
    const cancel = () => {
      if (this.#scorings.has(id)) this.#port.postMessage({ type: "cancel", id });
    };
    return { scores: scores.promise, cancel };
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    const scorings = [...this.#scorings.values()].map(({ promise }) => promise.catch(() => {}));
    const sequences = [...this.#channels.values()].map(({ closed }) => closed);
    await Promise.all([...sequences, ...scorings]);
  }

  /** Ends everything with an error, as when the Worker is gone. */
  abort(error: SequenceError): void {
    for (const channel of this.#channels.values()) channel.fail(error);
    for (const scoring of this.#scorings.values()) scoring.reject(error);
    this.#channels.clear();
    this.#scorings.clear();
  }

  /** Ends everything: the engine can do no more. What it still says goes unheard. */
  fail(failure: StartFailure): void {
    this.#port.onmessage = null;
    this.#lose(this.#model && failure.kind !== "checkpoint" ? "device_lost" : "failed");
    this.#load = sumCounts(this.#load, NOTHING);
    this.#ready.reject(new EngineStartError(failure));
    this.#closed.resolve();
    this.abort(new SequenceError("device_lost", "The engine failed"));
    if (this.#model) this.#options.onFailure?.(failure);
    this.#options.onRoom?.();
  }

  /**
   * Ends the engine for good, after the passes under way: resolves when it has given back all that
   * it held.
   */
  async close(): Promise<void> {
    this.abort(new SequenceError("draining", "The server is shutting down"));
    if (this.#state !== "ready") return;
    this.#port.postMessage({ type: "close" });
    await this.#closed.promise;
  }

  #lose(state: "device_lost" | "failed"): void {
    if (this.#state === "ready") this.#losses += 1;
    this.#state = state;
  }

  #expectReady(): void {
    const { status } = this;
    if (status !== "ready") throw new BusyError(busyCode(status));
  }

  #submit(request: SequenceRequest): Generation {
    const id = this.#nextId++;
    const cancel = () => {
      if (this.#channels.has(id)) this.#port.postMessage({ type: "cancel", id });
    };
    const channel = new Channel(cancel);
    this.#channels.set(id, channel);
    this.#port.postMessage({ type: "submit", id, request });
    return { queuePosition: 0, events: channel, cancel };
  }

  #receive(message: FromEngine): void {
    switch (message.type) {
      case "progress":
        if (this.#model) return;
        return this.#options.onProgress?.(message.done, message.total, message.stage);
      case "ready":
        this.#model = message.model;
        this.#state = "ready";
        this.#options.onReady?.();
        this.#ready.resolve(message.model);
        return this.#options.onRoom?.();
      case "load":
        return void (this.#load = sumCounts(this.#load, message.load));
      case "event": {
        const channel = this.#channels.get(message.id);
        const isEnd = message.event.type === "end";
        if (isEnd) this.#channels.delete(message.id);
        channel?.push(message.event);
        return isEnd ? this.#options.onRoom?.() : undefined;
      }
      case "scored":
        return this.#takeScoring(message.id)?.resolve(message.scores);
      case "error": {
        // The first word of a loss; `failed` follows.
        if (message.code === "device_lost") this.#lose("device_lost");
        const error = new SequenceError(message.code, message.message);
        this.#takeScoring(message.id)?.reject(error);
        const channel = this.#channels.get(message.id);
        this.#channels.delete(message.id);
        channel?.fail(error);
        return this.#options.onRoom?.();
      }
      case "failed":
        return this.fail(message.failure);
      case "closed":
        return this.#closed.resolve();
    }
  }

  #takeScoring(id: number): PromiseWithResolvers<readonly TextScore[] | null> | undefined {
    const scoring = this.#scorings.get(id);
    this.#scorings.delete(id);
    return scoring;
  }
}

function sumCounts(before: EngineLoad, now: EngineLoad): EngineLoad {
  return {
    ...now,
    denoisePasses: before.denoisePasses + now.denoisePasses,
    commitPasses: before.commitPasses + now.commitPasses,
    prefixCache: addUse(before.prefixCache, now.prefixCache),
  };
}
