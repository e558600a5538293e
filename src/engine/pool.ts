import { Channel } from "./channel.ts";
import { addUse } from "./prefix_cache_use.ts";
import {
  busyCode,
  BusyError,
  type EngineStats,
  type Generation,
  type ModelInfo,
  type OwnedEngine,
  type PooledEngine,
  SequenceError,
  type SequenceRequest,
} from "./request.ts";
import type { ScoreRequest, Scoring } from "./score.ts";

/**
 * Engines of one model, each on a device of its own, as one: it is ready as soon as the first one is.
 * A sequence goes to the engine with the most free slots; where none has one it waits, first come
 * first served. Scorings go to the engine with the fewest.
 */
export class EnginePool implements OwnedEngine {
  readonly #first: PooledEngine;
  readonly #engines: PooledEngine[];
  readonly #maxQueue: number;
  readonly #now: () => number;
  readonly #line: WaitingSequence[] = [];
  #isDraining = false;

  /** @param options `maxQueue`: how many may wait. `now`: a clock in milliseconds. */
  constructor(
    first: PooledEngine,
    { maxQueue, now = () => performance.now() }: {
      readonly maxQueue: number;
      readonly now?: () => number;
    },
  ) {
    this.#first = first;
    this.#engines = [first];
    this.#maxQueue = maxQueue;
    this.#now = now;
  }

  /** Takes an engine of the same model in, which may still be loading. */
  add(engine: PooledEngine): void {
    this.#engines.push(engine);
  }

  /** Lets go of one that was added and did not start. */
  remove(engine: PooledEngine): void {
    this.#engines.splice(this.#engines.indexOf(engine), 1);
  }

  get ready(): Promise<ModelInfo> {
    return this.#first.ready;
  }

  get model(): ModelInfo {
    return this.#first.model;
  }

  get status(): OwnedEngine["status"] {
    if (this.#isDraining) return "draining";
    return this.#ready.length > 0 ? "ready" : this.#first.status;
  }

  get stats(): EngineStats {
    const sum = this.#engines.map(({ stats }) => stats).reduce(sumStats);
    return { ...sum, waiting: this.#line.length };
  }

  submit(requests: readonly SequenceRequest[]): Generation[] {
    const free = this.#ready.map(freeSlots).reduce((sum, slots) => sum + slots, 0);
    this.#expectRoom(Math.max(0, requests.length - free));
    return requests.map((request) => {
      const engine = this.#withSlot;
      return engine ? engine.submit([request])[0]! : this.#wait(request); // As many as requests.
    });
  }

  score(request: ScoreRequest): Scoring {
    const [engine = this.#first] = this.#ready.toSorted((a, b) =>
      a.stats.scorings - b.stats.scorings || freeSlots(b) - freeSlots(a)
    );
    this.#expectRoom(Math.min(1, engine.stats.scorings));
    return engine.score(request);
  }

  /** Takes nothing more; what is under way goes on, what waits included. */
  drain(): void {
    this.#isDraining = true;
  }

  async idle(): Promise<void> {
    const waiting = this.#line.map(({ channel }) => channel.closed);
    await Promise.all([...this.#engines.map((engine) => engine.idle()), ...waiting]);
  }

  /** Ends everything that waits with an error. */
  abort(error: SequenceError): void {
    for (const { channel } of this.#line.splice(0)) channel.fail(error);
  }

  /** To be called when an engine may have got room, or was lost: gives it what waits. */
  serveLine(): void {
    while (this.#line.length > 0) {
      const engine = this.#withSlot;
      if (!engine) break;
      this.#line.shift()!.start(engine); // There is one.
    }
    const mayServe = this.#engines.some(({ status }) => status === "ready" || status === "loading");
    if (!mayServe) {
      this.abort(new SequenceError("device_lost", "The engine failed"));
    }
  }

  get #ready(): PooledEngine[] {
    return this.#engines.filter(({ status }) => status === "ready");
  }

  /** The engine with the most free slots, if there are any. */
  get #withSlot(): PooledEngine | undefined {
    const [most] = this.#ready.toSorted((a, b) => freeSlots(b) - freeSlots(a));
    return most && freeSlots(most) > 0 ? most : undefined;
  }

  /** Checks that so many more can wait. Scorings wait in their engines. */
  #expectRoom(more: number): void {
    const { status } = this;
    if (status !== "ready") throw new BusyError(busyCode(status));
    const scorings = this.#engines.map(({ stats }) => Math.max(0, stats.scorings - 1))
      .reduce((sum, waiting) => sum + waiting, 0);
    if (more > 0 && this.#line.length + scorings + more > this.#maxQueue) {
      throw new BusyError("queue_full");
    }
  }

  #wait(request: SequenceRequest): Generation {
    const queuePosition = this.#line.length;
    const leave = (sequence: WaitingSequence) => {
      const place = this.#line.indexOf(sequence);
      return place >= 0 && this.#line.splice(place, 1).length > 0;
    };
    const sequence = new WaitingSequence(request, { leave, now: this.#now });
    this.#line.push(sequence);
    return { queuePosition, events: sequence.channel, cancel: () => sequence.cancel() };
  }
}

/** A sequence that waits for a slot, and then runs in an engine. */
class WaitingSequence {
  readonly channel = new Channel(() => this.cancel());
  readonly #request: SequenceRequest;
  readonly #leave: (sequence: WaitingSequence) => boolean;
  readonly #now: () => number;
  readonly #since: number;
  /** In the engine; `null` while it waits. */
  #generation: Generation | null = null;

  /** @param options `leave`: takes it out of the line, if it is there. */
  constructor(
    request: SequenceRequest,
    { leave, now }: {
      readonly leave: (sequence: WaitingSequence) => boolean;
      readonly now: () => number;
    },
  ) {
    this.#request = request;
    this.#leave = leave;
    this.#now = now;
    this.#since = now();
  }

  /** Goes on in an engine that has a slot. */
  start(engine: PooledEngine): void {
    const [generation] = engine.submit([this.#request]);
    this.#generation = generation!; // As many as requests.
    void this.#relay(generation!, this.#now() - this.#since);
  }

  cancel(): void {
    if (this.#generation) return this.#generation.cancel();
    if (!this.#leave(this)) return;
    const queueMs = this.#now() - this.#since;
    this.channel.push({ type: "end", reason: "cancelled", passes: 0, queueMs });
  }

  /** Hands the engine's events on; it counts the time from when it got the sequence. */
  async #relay({ events }: Generation, waitedMs: number): Promise<void> {
    try {
      for await (const event of events) {
        const isTimed = "queueMs" in event;
        this.channel.push(isTimed ? { ...event, queueMs: event.queueMs + waitedMs } : event);
      }
    } catch (error) {
      this.channel.fail(error as SequenceError); // An engine throws no other.
    }
  }
}

/** Slots of an engine that are free. */
function freeSlots({ stats }: PooledEngine): number {
  return stats.slots - stats.running;
}

function sumStats(a: EngineStats, b: EngineStats): EngineStats {
  const cache = addUse(a.prefixCache, b.prefixCache);
  return {
    running: a.running + b.running,
    waiting: a.waiting + b.waiting,
    scorings: a.scorings + b.scorings,
    slots: a.slots + b.slots,
    usedPages: a.usedPages + b.usedPages,
    freePages: a.freePages + b.freePages,
    denoisePasses: a.denoisePasses + b.denoisePasses,
    commitPasses: a.commitPasses + b.commitPasses,
    prefixCache: { ...cache, pages: a.prefixCache.pages + b.prefixCache.pages },
    memory: {
      weights: a.memory.weights + b.memory.weights,
      cache: a.memory.cache + b.memory.cache,
      scratch: a.memory.scratch + b.memory.scratch,
    },
    losses: a.losses + b.losses,
  };
}
