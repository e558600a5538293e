import {
  BusyError,
  type Engine,
  type EngineStats,
  type Generation,
  type ModelInfo,
  type Reveal,
  type SequenceError,
  type SequenceEvent,
  type SequenceRequest,
} from "../../src/engine/request.ts";
import type { ScoreRequest, Scoring } from "../../src/engine/score.ts";
import { NO_USE } from "../../src/engine/prefix_cache_use.ts";
import type { PrefixCacheUse } from "../../src/model/denoiser.ts";
import { scriptedDetails } from "./scripted_details.ts";
import { halves } from "./scripted_score.ts";

/** A model of bytes: ids 0 to 255, then BOS (not added), EOS and mask. */
export const BYTE_MODEL: ModelInfo = {
  id: "test-copy",
  created: 1_760_000_000,
  contextLength: 4096,
  slides: true,
  scores: true,
  vocabSize: 259,
  bosToken: null,
  eosToken: 257,
  maskToken: 258,
  stopTokens: [257],
  blockSizes: [1, 2, 4, 8, 16, 32],
  defaultBlockSize: 4,
  defaults: {},
  defaultSubBlockSize: null,
  adapter: "scripted",
  isCpu: true,
};

/** What a {@linkcode ScriptedEngine} does beside copying. */
export interface Script {
  readonly model?: Partial<ModelInfo>;
  readonly maxConcurrent?: number;
  readonly maxQueue?: number;
  /** Awaited before every denoising step; `step` counts over the whole engine from 0. */
  readonly beforeStep?: (step: number) => Promise<void> | void;
  /** What the engine tells of its prefix cache; nothing was ever kept where it is left out. */
  readonly prefixCache?: PrefixCacheUse;
  /** Prompt tokens that a request finds stored; none where it is left out. */
  readonly cachedTokens?: (request: SequenceRequest) => number;
  /** What `submit()` and `score()` throw. */
  readonly refusal?: Error;
  /** What `score()` gives; one half for every token where it is left out. */
  readonly scoring?: (request: ScoreRequest) => Scoring;
}

/**
 * An engine without a model: token k of an answer is token k mod P of the P prompt tokens, or 97
 * where there is none. Fills one position a step, from the left. Runs whether it is read or not.
 */
export class ScriptedEngine implements Engine {
  readonly model: ModelInfo;
  status: Engine["status"] = "ready";
  /** Every request taken, in order. */
  readonly submitted: SequenceRequest[] = [];
  /** Every scoring taken, in order. */
  readonly scored: ScoreRequest[] = [];
  /** Sequences that were cancelled before their end. */
  cancelled = 0;
  readonly #script: Script;
  readonly #waiting: (() => void)[] = [];
  #idle = Promise.withResolvers<void>();
  #running = 0;
  #steps = 0;

  constructor(script: Script = {}) {
    this.#script = script;
    this.model = { ...BYTE_MODEL, ...script.model };
  }

  /** Resolves when no sequence runs or waits any more. */
  get idle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : this.#idle.promise;
  }

  get stats(): EngineStats {
    return {
      running: this.#running,
      scorings: 0,
      waiting: this.#waiting.length,
      slots: this.#script.maxConcurrent ?? 8,
      usedPages: this.#running,
      freePages: 100 - this.#running,
      denoisePasses: this.#steps,
      commitPasses: 0,
      prefixCache: this.#script.prefixCache ?? NO_USE,
      memory: { weights: 1, cache: 2, scratch: 3 },
      losses: 0,
    };
  }

  score(request: ScoreRequest): Scoring {
    const { refusal, scoring } = this.#script;
    if (refusal !== undefined) throw refusal;
    this.scored.push(request);
    return scoring?.(request) ?? { scores: Promise.resolve(halves(request)), cancel() {} };
  }

  submit(requests: readonly SequenceRequest[]): Generation[] {
    const { refusal, maxConcurrent = 8, maxQueue = 64 } = this.#script;
    if (refusal !== undefined) throw refusal;
    const waiting = this.#running + this.#waiting.length + requests.length - maxConcurrent;
    if (waiting > maxQueue) throw new BusyError("queue_full");
    return requests.map((request) => this.#submit(request, maxConcurrent));
  }

  #submit(request: SequenceRequest, maxConcurrent: number): Generation {
    this.submitted.push(request);
    const queuePosition = this.#waiting.length;
    const channel = new Channel();
    if (this.#running < maxConcurrent) this.#start(request, channel);
    else this.#waiting.push(() => this.#start(request, channel));
    return { queuePosition, events: channel, cancel: () => channel.cancel() };
  }

  #start(request: SequenceRequest, channel: Channel): void {
    if (this.#running === 0) this.#idle = Promise.withResolvers();
    this.#running += 1;
    this.#run(request, channel).catch((error) => channel.fail(error)).finally(() => {
      // The next starts first, so that the engine is not idle in between.
      this.#waiting.shift()?.();
      this.#running -= 1;
      if (this.#running === 0) this.#idle.resolve();
    });
  }

  async #run(request: SequenceRequest, channel: Channel): Promise<void> {
    const { prompt, maxTokens, blockSize, stopTokens } = request;
    channel.push({ type: "admitted", queueMs: 0 });
    const cachedTokens = this.#script.cachedTokens?.(request) ?? 0;
    if (cachedTokens > 0) channel.push({ type: "prefilled", ms: 0, cachedTokens });
    let passes = 1;
    let reason: "length" | "eos" | "cancelled" = "length";
    for (let index = 0; index * blockSize < maxTokens && reason === "length"; index += 1) {
      const first = index * blockSize;
      const size = Math.min(blockSize, maxTokens - first);
      const all = Array.from({ length: size }, (_, j) => prompt[(first + j) % prompt.length] ?? 97);
      const filled = await this.#denoise(all, { index, request, channel });
      passes += filled;
      if (filled < size) {
        reason = "cancelled";
        break;
      }
      const end = all.findIndex((token) => stopTokens.includes(token));
      if (end !== -1) reason = "eos";
      const tokens = end === -1 ? all : all.slice(0, end + 1);
      const last = reason === "eos" || first + size === maxTokens;
      const position = prompt.length + first;
      channel.push({
        type: "block",
        index,
        position,
        tokens,
        ...(request.tellsReveals && {
          reveals: tokens.map((token, place) => scriptedReveal(token, { ...request, place })),
        }),
        steps: size,
        nfe: size,
        ms: 1.5,
        last,
      });
    }
    if (reason === "cancelled") this.cancelled += 1;
    channel.push({ type: "end", reason, passes, queueMs: 0 });
  }

  /** Fills the block; stops early when cancelled. Returns how many positions are filled. */
  async #denoise(
    tokens: readonly number[],
    { index, request, channel }: { index: number; request: SequenceRequest; channel: Channel },
  ): Promise<number> {
    for (let j = 0; j < tokens.length; j += 1) {
      const wait = this.#script.beforeStep?.(this.#steps);
      if (wait !== undefined) await Promise.race([wait, channel.cancellation]);
      this.#steps += 1;
      if (channel.isCancelled) return j;
      if (!request.trace) continue;
      channel.push({
        type: "step",
        block: index,
        step: j + 1,
        nfe: j + 1,
        tokens: tokens.map((token, i) => i <= j ? token : null),
        revealed: [j],
        confidence: [1 / (j + 2)],
        ...(request.isDetailed && { details: [scriptedDetails(tokens[j]!, j)] }),
      });
    }
    return tokens.length;
  }
}

/** One position a step, from the left. */
function scriptedReveal(
  token: number,
  { place, isDetailed = false }: { readonly place: number; readonly isDetailed?: boolean },
): Reveal {
  const reveal = { step: place + 1, confidence: 1 / (place + 2) };
  return isDetailed ? { ...reveal, details: scriptedDetails(token, place) } : reveal;
}

/** Events on their way from a sequence to its reader. */
class Channel implements AsyncIterable<SequenceEvent> {
  #events: SequenceEvent[] = [];
  readonly #cancellation = Promise.withResolvers<void>();
  #more = Promise.withResolvers<void>();
  #error: SequenceError | undefined;
  isCancelled = false;

  get cancellation(): Promise<void> {
    return this.#cancellation.promise;
  }

  push(event: SequenceEvent): void {
    this.#events.push(event);
    this.#more.resolve();
  }

  fail(error: SequenceError): void {
    this.#error = error;
    this.#more.resolve();
  }

  cancel(): void {
    this.isCancelled = true;
    this.#cancellation.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SequenceEvent> {
    try {
      while (true) {
        const events = this.#events;
        this.#events = [];
        yield* events;
        if (events.at(-1)?.type === "end") return;
        if (this.#events.length > 0) continue;
        if (this.#error !== undefined) throw this.#error;
        await this.#more.promise;
        this.#more = Promise.withResolvers();
      }
    } finally {
      this.cancel();
    }
  }
}
