import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Seconds; from a step of a small model to the longest generation that a server allows. */
const BUCKETS = [
  [0.001, 0.0025, 0.005],
  [0.01, 0.025, 0.05],
  [0.1, 0.25, 0.5],
  [1, 2.5, 5],
  [10, 30, 60, 300],
].flat();

/** Every metric of this server: names, labels and what they mean. Knows not when they change. */
export class Families {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  readonly buildInfo = new Gauge({
    name: "bd_build_info",
    help: "Always 1: version of the server, and device adapter of the default model",
    labelNames: ["version", "adapter"],
    registers: this.#registers,
  });
  readonly httpRequests = new Counter({
    name: "bd_http_requests_total",
    help: "HTTP requests, counted when the headers of the response are ready",
    labelNames: ["method", "route", "status"],
    registers: this.#registers,
  });
  readonly httpRequestDuration = new Histogram({
    name: "bd_http_request_duration_seconds",
    help: "From a request to the headers of its response",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers: this.#registers,
  });
  readonly sequencesStarted = new Counter({
    name: "bd_sequences_started_total",
    help: "Sequences taken, one for each choice of a request: those that ended, run or wait",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly sequences = new Counter({
    name: "bd_sequences_total",
    help: "Sequences that ended",
    labelNames: ["model", "finish_reason"],
    registers: this.#registers,
  });
  readonly sequencesRunning = new Gauge({
    name: "bd_sequences_running",
    help: "Sequences admitted that have not ended",
    registers: this.#registers,
  });
  readonly sequencesWaiting = new Gauge({
    name: "bd_sequences_waiting",
    help: "Sequences that wait for a place",
    registers: this.#registers,
  });
  readonly sequencesLimit = new Gauge({
    name: "bd_sequences_limit",
    help: "Sequences that can run at a time",
    registers: this.#registers,
  });
  readonly rejected = new Counter({
    name: "bd_rejected_total",
    help: "Requests answered with an error, by its code",
    labelNames: ["code"],
    registers: this.#registers,
  });
  readonly promptTokens = new Counter({
    name: "bd_prompt_tokens_total",
    help: "Prompt tokens of sequences taken, as usage counts them: once, however many choices",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly completionTokens = new Counter({
    name: "bd_completion_tokens_total",
    help: "Generated tokens, as usage counts them",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly blocks = new Counter({
    name: "bd_blocks_total",
    help: "Finished blocks",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly denoisingSteps = new Counter({
    name: "bd_denoising_steps_total",
    help: "Denoising steps of finished blocks",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly forwardPasses = new Counter({
    name: "bd_forward_passes_total",
    help: "Forward passes of the model: with any row to denoise, or with rows to commit only",
    labelNames: ["model", "kind"],
    registers: this.#registers,
  });
  readonly queueWait = new Histogram({
    name: "bd_queue_wait_seconds",
    help: "From the submission of a sequence to its admission",
    labelNames: ["model"],
    buckets: BUCKETS,
    registers: this.#registers,
  });
  readonly timeToFirstBlock = new Histogram({
    name: "bd_time_to_first_block_seconds",
    help: "From the submission of a sequence to its first block",
    labelNames: ["model"],
    buckets: BUCKETS,
    registers: this.#registers,
  });
  readonly blockDuration = new Histogram({
    name: "bd_block_duration_seconds",
    help: "From a block, or the admission, to the next block of the same sequence",
    labelNames: ["model"],
    buckets: BUCKETS,
    registers: this.#registers,
  });
  readonly streamResumes = new Counter({
    name: "bd_stream_resumes_total",
    help: "Clients that came back to a stream, or tried",
    labelNames: ["result"],
    registers: this.#registers,
  });
  readonly streamStepsDropped = new Counter({
    name: "bd_stream_steps_dropped_total",
    help: "Step events that a reader was too slow for",
    registers: this.#registers,
  });
  readonly streamsClosedSlow = new Counter({
    name: "bd_streams_closed_slow_total",
    help: "Streams closed because their reader took nothing for too long",
    registers: this.#registers,
  });
  readonly deviceLost = new Counter({
    name: "bd_device_lost_total",
    help: "How often a device was lost",
    registers: this.#registers,
  });
  readonly cachePages = new Gauge({
    name: "bd_cache_pages",
    help: "Pages of the key-value cache",
    labelNames: ["state"],
    registers: this.#registers,
  });
  readonly prefixQueryTokens = new Counter({
    name: "bd_prefix_cache_query_tokens_total",
    help: "Prompt tokens of sequences admitted that could have been computed before",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly prefixHitTokens = new Counter({
    name: "bd_prefix_cache_hit_tokens_total",
    help: "Those of them that were, for a sequence that began alike",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly prefixPages = new Gauge({
    name: "bd_prefix_cache_pages",
    help: "Pages of the key-value cache that sequences to come can share, in use or free",
    registers: this.#registers,
  });
  readonly prefixEvictions = new Counter({
    name: "bd_prefix_cache_evicted_pages_total",
    help: "Pages that could be shared no longer, for others to be stored",
    labelNames: ["model"],
    registers: this.#registers,
  });
  readonly deviceMemory = new Gauge({
    name: "bd_device_memory_bytes",
    help: "Memory taken on the device",
    labelNames: ["kind"],
    registers: this.#registers,
  });
  readonly eventLoopLag = new Gauge({
    name: "bd_event_loop_lag_seconds",
    help: "How late a timer fired that was due at once",
    registers: this.#registers,
  });
  readonly residentMemory = new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size",
    registers: this.#registers,
  });
  readonly startTime = new Gauge({
    name: "process_start_time_seconds",
    help: "Start time of the process since the Unix epoch",
    registers: this.#registers,
  });
}
