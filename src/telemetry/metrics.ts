import { Families } from "./families.ts";

/** Methods that HTTP defines; a request may name any other. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

const FINISH_REASONS = ["stop", "length", "cancelled", "error"] as const;
const RESUME_RESULTS = ["ok", "gone", "invalid"] as const;

/** How a sequence ended. */
export type FinishReason = typeof FINISH_REASONS[number];

/** What became of a client that came back to a stream. */
export type ResumeResult = typeof RESUME_RESULTS[number];

/** What does not change while a server runs. */
export interface MetricsOptions {
  /** Version of this software. */
  readonly version: string;
  /** Since the epoch. */
  readonly startMs: number;
  /** Every code that {@linkcode Metrics.refused} may be told. */
  readonly codes: readonly string[];
}

/** What the engine of a model holds now and has done since its start. */
export interface ModelReading {
  readonly model: string;
  readonly adapter: string;
  readonly running: number;
  readonly waiting: number;
  readonly slots: number;
  readonly usedPages: number;
  readonly freePages: number;
  readonly denoisePasses: number;
  readonly commitPasses: number;
  /** What sequences that begin alike share, and how much that was so far. */
  readonly prefixCache: {
    readonly pages: number;
    readonly evictedPages: number;
    readonly queryTokens: number;
    readonly hitTokens: number;
  };
  /** Bytes on the device. */
  readonly memory: { readonly weights: number; readonly cache: number; readonly scratch: number };
  readonly losses: number;
}

/** What is not counted as it happens, but read when somebody asks. */
export interface Readings {
  /** The default model first; none while they load. */
  readonly models: readonly ModelReading[];
  /** How late a timer fired. */
  readonly lagMs: number;
  readonly residentBytes: number;
}

/**
 * What happened in a server, counted for Prometheus. Labels come from lists that are known before
 * any request, and so does their number.
 */
export class Metrics {
  readonly #families = new Families();
  readonly #version: string;
  /** Models whose counts have begun at 0, without which a first event would be no increase. */
  readonly #models = new Set<string>();

  constructor({ version, startMs, codes }: MetricsOptions) {
    this.#version = version;
    const { startTime, rejected, streamResumes } = this.#families;
    startTime.set(startMs / 1000);
    for (const code of codes) rejected.inc({ code }, 0);
    for (const result of RESUME_RESULTS) streamResumes.inc({ result }, 0);
  }

  /** A request whose response's headers are ready; `route` is its pattern, if it has any. */
  answered(
    request: { readonly method: string; readonly route: string | null; readonly status: number },
    ms: number,
  ): void {
    const { httpRequests, httpRequestDuration } = this.#families;
    const method = METHODS.includes(request.method) ? request.method : "other";
    const route = request.route ?? "none";
    httpRequests.inc({ method, route, status: request.status });
    httpRequestDuration.observe({ route }, ms / 1000);
  }

  /** A request answered with an error. */
  refused(code: string): void {
    this.#families.rejected.inc({ code });
  }

  /** A sequence was taken; `promptTokens` are those that no other choice has counted. */
  sequenceTaken(model: string, promptTokens: number): void {
    this.#know(model);
    this.#families.sequencesStarted.inc({ model });
    this.#families.promptTokens.inc({ model }, promptTokens);
  }

  /** Texts of as many tokens were scored. */
  scored(model: string, promptTokens: number): void {
    this.#know(model);
    this.#families.promptTokens.inc({ model }, promptTokens);
  }

  /** A sequence left the line. */
  sequenceAdmitted(model: string, queueMs: number): void {
    this.#families.queueWait.observe({ model }, queueMs / 1000);
  }

  /** A block is finished; `firstMs` is how long the sequence's first one took from submission. */
  blockFinished(
    model: string,
    { tokens, steps, ms, firstMs }: {
      readonly tokens: number;
      readonly steps: number;
      readonly ms: number;
      readonly firstMs: number | null;
    },
  ): void {
    this.#families.completionTokens.inc({ model }, tokens);
    this.#families.blocks.inc({ model });
    this.#families.denoisingSteps.inc({ model }, steps);
    this.#families.blockDuration.observe({ model }, ms / 1000);
    if (firstMs !== null) this.#families.timeToFirstBlock.observe({ model }, firstMs / 1000);
  }

  /** Nothing follows of a sequence. */
  sequenceEnded(model: string, reason: FinishReason): void {
    this.#families.sequences.inc({ model, finish_reason: reason });
  }

  /** A client came back to a stream. */
  resumed(result: ResumeResult): void {
    this.#families.streamResumes.inc({ result });
  }

  /** Steps were left out of a stream. */
  stepsDropped(count: number): void {
    this.#families.streamStepsDropped.inc(count);
  }

  /** A stream was closed under its reader. */
  streamClosedSlow(): void {
    this.#families.streamsClosedSlow.inc();
  }

  /** The media type of what {@linkcode Metrics.render} gives. */
  get contentType(): string {
    return this.#families.registry.contentType;
  }

  /** Everything in Prometheus' text format. */
  async render(readings: Readings): Promise<string> {
    this.#read(readings);
    return await this.#families.registry.metrics();
  }

  #read({ models, lagMs, residentBytes }: Readings): void {
    const families = this.#families;
    const sum = (read: (model: ModelReading) => number) =>
      models.reduce((total, each) => total + read(each), 0);
    families.buildInfo.reset(); // The adapter becomes known with the model.
    families.buildInfo.set({ version: this.#version, adapter: models[0]?.adapter ?? "" }, 1);
    families.sequencesRunning.set(sum(({ running }) => running));
    families.sequencesWaiting.set(sum(({ waiting }) => waiting));
    families.sequencesLimit.set(sum(({ slots }) => slots));
    families.cachePages.set({ state: "used" }, sum(({ usedPages }) => usedPages));
    families.cachePages.set({ state: "free" }, sum(({ freePages }) => freePages));
    families.prefixPages.set(sum(({ prefixCache }) => prefixCache.pages));
    for (const kind of ["weights", "cache", "scratch"] as const) {
      families.deviceMemory.set({ kind }, sum(({ memory }) => memory[kind]));
    }
    families.eventLoopLag.set(lagMs / 1000);
    families.residentMemory.set(residentBytes);
    // The engines have counted these already.
    families.deviceLost.reset();
    families.deviceLost.inc(sum(({ losses }) => losses));
    const { forwardPasses, prefixQueryTokens, prefixHitTokens, prefixEvictions } = families;
    for (const each of [forwardPasses, prefixQueryTokens, prefixHitTokens, prefixEvictions]) {
      each.reset();
    }
    for (const { model, denoisePasses, commitPasses, prefixCache } of models) {
      this.#know(model);
      forwardPasses.inc({ model, kind: "denoise" }, denoisePasses);
      forwardPasses.inc({ model, kind: "commit" }, commitPasses);
      prefixQueryTokens.inc({ model }, prefixCache.queryTokens);
      prefixHitTokens.inc({ model }, prefixCache.hitTokens);
      prefixEvictions.inc({ model }, prefixCache.evictedPages);
    }
  }

  #know(model: string): void {
    if (this.#models.has(model)) return;
    this.#models.add(model);
    const { promptTokens, completionTokens, blocks, denoisingSteps, ...families } = this.#families;
    for (const finish_reason of FINISH_REASONS) families.sequences.inc({ model, finish_reason }, 0);
    for (const each of [families.sequencesStarted, promptTokens, completionTokens, blocks]) {
      each.inc({ model }, 0);
    }
    denoisingSteps.inc({ model }, 0);
    for (const each of [families.queueWait, families.timeToFirstBlock, families.blockDuration]) {
      each.zero({ model });
    }
  }
}
