import { addUse } from "./prefix_cache_use.ts";
import type {
  EngineStats,
  Generation,
  ModelInfo,
  OwnedEngine,
  SequenceRequest,
} from "./request.ts";
import type { ScoreRequest, Scoring } from "./score.ts";

/**
 * Engines of one model, each on a device of its own, as one: it is ready as soon as the first one is,
 * and a sequence goes to the one with the most free slots. There it stays, also while it waits.
 */
export class EnginePool implements OwnedEngine {
  readonly #first: OwnedEngine;
  readonly #engines: OwnedEngine[];
  #isDraining = false;

  constructor(first: OwnedEngine) {
    this.#first = first;
    this.#engines = [first];
  }

  /** Takes an engine of the same model in, which may still be loading. */
  add(engine: OwnedEngine): void {
    if (this.#isDraining) engine.drain();
    this.#engines.push(engine);
  }

  /** Lets go of one that was added and did not start. */
  remove(engine: OwnedEngine): void {
    this.#engines.splice(this.#engines.indexOf(engine), 1);
  }

  get ready(): Promise<ModelInfo> {
    return this.#first.ready;
  }

  get model(): ModelInfo {
    return this.#first.model;
  }

  get status(): OwnedEngine["status"] {
    const isReady = this.#engines.some(({ status }) => status === "ready");
    return isReady ? "ready" : this.#first.status;
  }

  get stats(): EngineStats {
    return this.#engines.map(({ stats }) => stats).reduce(sumStats);
  }

  submit(requests: readonly SequenceRequest[]): Generation[] {
    const engines = this.#place(requests.length);
    const taken: Generation[] = [];
    try {
      // One by one, so that they come back in the order of the requests.
      for (const [i, engine] of engines.entries()) taken.push(...engine.submit([requests[i]!]));
    } catch (error) {
      for (const generation of taken) generation.cancel();
      throw error;
    }
    return taken;
  }

  score(request: ScoreRequest): Scoring {
    const [engine = this.#first] = this.#ready.toSorted((a, b) =>
      a.stats.scorings - b.stats.scorings || freeSlots(b) - freeSlots(a)
    );
    return engine.score(request);
  }

  drain(): void {
    this.#isDraining = true;
    for (const engine of this.#engines) engine.drain();
  }

  async idle(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.idle()));
  }

  get #ready(): OwnedEngine[] {
    return this.#engines.filter(({ status }) => status === "ready");
  }

  /** An engine for each of so many sequences. Where none is ready, the first one says why. */
  #place(sequences: number): OwnedEngine[] {
    const places = this.#ready.map((engine) => ({ engine, free: freeSlots(engine) }));
    return Array.from({ length: sequences }, () => {
      const [place] = places.toSorted((a, b) => b.free - a.free);
      if (!place) return this.#first;
      place.free -= 1;
      return place.engine;
    });
  }
}

/** Slots that are free; below 0 as many sequences wait. */
function freeSlots({ stats }: OwnedEngine): number {
  return stats.slots - stats.running - stats.waiting;
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
