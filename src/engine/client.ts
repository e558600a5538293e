import type { EngineLoad, FromEngine, Port, StartFailure, ToEngine } from "./protocol.ts";
import {
  BusyError,
  type Engine,
  type EngineStats,
  type Generation,
  type ModelInfo,
  SequenceError,
  type SequenceEvent,
  type SequenceRequest,
} from "./request.ts";

/** How many sequences may be under way. */
export interface EngineCapacity {
  /** Sequences that run at a time: the slots of the engine. */
  readonly maxConcurrent: number;
  /** Sequences that wait. */
  readonly maxQueue: number;
}

/** Thrown when an engine does not start. */
export class EngineStartError extends Error {
  override readonly name = "EngineStartError";
  constructor(readonly failure: StartFailure) {
    super(failure.message);
  }
}

/** The main isolate's end of the port: the engine as the server sees it. */
export class EngineClient implements Engine {
  readonly #port: Port<FromEngine, ToEngine>;
  readonly #capacity: EngineCapacity;
  readonly #onFailure: (failure: StartFailure) => void;
  readonly #channels = new Map<number, Channel>();
  readonly #ready = Promise.withResolvers<ModelInfo>();
  #model: ModelInfo | null = null;
  #state: Exclude<Engine["status"], "draining"> = "loading";
  #isDraining = false;
  #nextId = 0;
  /** As the Worker told last, passes summed up. */
  #load: EngineLoad = {
    usedPages: 0,
    freePages: 0,
    denoisePasses: 0,
    commitPasses: 0,
    memory: { weights: 0, cache: 0, scratch: 0 },
  };
  #losses = 0;

  /**
   * @param options `onProgress`: called while the model loads. `onFailure`: called when the engine,
   * once ready, can do no more.
   */
  constructor(
    port: Port<FromEngine, ToEngine>,
    options: EngineCapacity & {
      readonly onProgress?: (done: number, total: number) => void;
      readonly onFailure?: (failure: StartFailure) => void;
    },
  ) {
    this.#port = port;
    this.#capacity = options;
    this.#onFailure = options.onFailure ?? (() => {});
    this.#ready.promise.catch(() => {}); // Reported to those who ask.
    port.onmessage = ({ data }) => {
      if (data.type === "progress") options.onProgress?.(data.done, data.total);
      else this.#receive(data);
    };
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

  get status(): Engine["status"] {
    return this.#isDraining ? "draining" : this.#state;
  }

  get stats(): EngineStats {
    const { maxConcurrent: slots } = this.#capacity;
    const waiting = Math.max(0, this.#channels.size - slots);
    return {
      ...this.#load,
      losses: this.#losses,
      slots,
      waiting,
      running: this.#channels.size - waiting,
    };
  }

  submit(requests: readonly SequenceRequest[]): Generation[] {
    const { status } = this;
    if (status !== "ready") throw new BusyError(busyCode(status));
    const { maxConcurrent, maxQueue } = this.#capacity;
    const waiting = this.#channels.size + requests.length - maxConcurrent;
    if (waiting > maxQueue) throw new BusyError("queue_full");
    return requests.map((request) => this.#submit(request));
  }

  /** Takes no more sequences; those under way go on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Resolves when no sequence is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#channels.values()].map(({ closed }) => closed));
  }

  /** Ends every sequence with an error, as when the Worker is gone. */
  abort(error: SequenceError): void {
    for (const channel of this.#channels.values()) channel.fail(error);
    this.#channels.clear();
  }

  /** Notes that the Worker can do no more, until it says again that it is ready. */
  fail(failure: StartFailure): void {
    this.#state = failure.kind === "gpu" && this.#model ? "device_lost" : "failed";
    if (this.#state === "device_lost") this.#losses += 1;
    if (this.#model) this.#onFailure(failure);
    this.#ready.reject(new EngineStartError(failure));
    this.abort(
      failure.kind === "gpu"
        ? new SequenceError("device_lost", "The device failed")
        : new SequenceError("internal_error", "The engine failed"),
    );
  }

  #submit(request: SequenceRequest): Generation {
    const queuePosition = Math.max(0, this.#channels.size - this.#capacity.maxConcurrent);
    const id = this.#nextId++;
    const cancel = () => {
      if (this.#channels.has(id)) this.#port.postMessage({ type: "cancel", id });
    };
    const channel = new Channel(cancel);
    this.#channels.set(id, channel);
    this.#port.postMessage({ type: "submit", id, request });
    return { queuePosition, events: channel, cancel };
  }

  #receive(message: Exclude<FromEngine, { type: "progress" }>): void {
    switch (message.type) {
      case "ready":
        this.#model = message.model;
        this.#state = "ready";
        return this.#ready.resolve(message.model);
      case "load":
        return void (this.#load = sumPasses(this.#load, message.load));
      case "event": {
        const channel = this.#channels.get(message.id);
        if (message.event.type === "end") this.#channels.delete(message.id);
        return channel?.push(message.event);
      }
      case "error": {
        const channel = this.#channels.get(message.id);
        this.#channels.delete(message.id);
        return channel?.fail(new SequenceError(message.code, message.message));
      }
      case "failed":
        return this.fail(message.failure);
    }
  }
}

function sumPasses(before: EngineLoad, now: EngineLoad): EngineLoad {
  return {
    ...now,
    denoisePasses: before.denoisePasses + now.denoisePasses,
    commitPasses: before.commitPasses + now.commitPasses,
  };
}

function busyCode(status: Exclude<Engine["status"], "ready">): BusyError["code"] {
  switch (status) {
    case "loading":
      return "model_loading";
    case "draining":
      return "draining";
    case "device_lost":
    case "failed":
      return "device_lost";
  }
}

/** Events of one sequence, from the port to whoever reads them. */
class Channel implements AsyncIterable<SequenceEvent> {
  readonly #onLeave: () => void;
  readonly #events: SequenceEvent[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #error: SequenceError | null = null;
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** Resolves when no event follows. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  push(event: SequenceEvent): void {
    this.#events.push(event);
    if (event.type === "end") this.#close();
    else this.#wake.resolve();
  }

  fail(error: SequenceError): void {
    this.#error = error;
    this.#close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SequenceEvent> {
    try {
      while (true) {
        const event = this.#events.shift();
        if (event) {
          yield event;
        } else if (this.#isOver) {
          if (this.#error) throw this.#error;
          return;
        } else {
          await this.#wake.promise;
          this.#wake = Promise.withResolvers();
        }
      }
    } finally {
      if (!this.#isOver) this.#onLeave();
    }
  }

  #close(): void {
    this.#isOver = true;
    this.#wake.resolve();
    this.#closed.resolve();
  }
}
