import type { SamplingDefaults } from "../model/decoding_rules.ts";
import type { DeviceMemory, PrefixCacheUse, TokenDetails } from "../model/denoiser.ts";
import type { SequenceOptions } from "../model/sequence_state.ts";
import type { ScoreRequest, Scoring } from "./score.ts";

/** What one sequence is asked to do. Token ids only: text is the server's affair. */
export interface SequenceRequest extends SequenceOptions {
  /** Nats; 0 is off. Ends after a block that leaves the last 256 generated tokens, if as many, below. */
  readonly minEntropy: number;
  /** Whether {@linkcode StepEvent}s are wanted. */
  readonly trace: boolean;
  /** Whether blocks tell how their tokens fell; not where left out. */
  readonly tellsReveals?: boolean;
}

export type { TokenDetails };

/** How a token fell. */
export interface Reveal {
  /** Denoising steps of its block until then, as in {@linkcode StepEvent}. */
  readonly step: number;
  /** Probability with which it was drawn. */
  readonly confidence: number;
  /** Where the request is for details. */
  readonly details?: TokenDetails;
}

/** The first event: the sequence has left the line. */
export interface AdmittedEvent {
  readonly type: "admitted";
  /** Milliseconds waited before. */
  readonly queueMs: number;
}

/** The prompt's whole blocks are in the cache. Left out where there are none. */
export interface PrefilledEvent {
  readonly type: "prefilled";
  /** Milliseconds since admission. */
  readonly ms: number;
  /** Prompt tokens that an earlier sequence has stored. */
  readonly cachedTokens: number;
}

/** The state of a block after one denoising step, or when the commit before it gave its first token. */
export interface StepEvent {
  readonly type: "step";
  /** Index of the block in the generation, from 0. */
  readonly block: number;
  /** Denoising steps executed in this block, this one included; 0 for a first token as above. */
  readonly step: number;
  /** Denoising forward passes of this block, this one included. */
  readonly nfe: number;
  /** Generated positions of the block; `null` while masked. */
  readonly tokens: readonly (number | null)[];
  /** Indices into `tokens` that this step filled. */
  readonly revealed: readonly number[];
  /** Probabilities of the tokens drawn there, in the order of `revealed`. */
  readonly confidence: readonly number[];
  /** Likewise, where the request is for details. */
  readonly details?: readonly TokenDetails[];
}

/** A finished block. */
export interface BlockEvent {
  readonly type: "block";
  /** Counts from 0. */
  readonly index: number;
  /** Position in the sequence of the first token; prompt length for index 0. */
  readonly position: number;
  /** 1 … blockSize token ids, cut after the stop token or at the length. */
  readonly tokens: readonly number[];
  /** How they fell, where the request asks. */
  readonly reveals?: readonly Reveal[];
  readonly steps: number;
  readonly nfe: number;
  /** Milliseconds since the block before it (or admission). */
  readonly ms: number;
  /** Whether the engine knows that no block follows: the end token, the length or the entropy. */
  readonly last: boolean;
}

/** The last event of every sequence that did not fail. */
export interface EndEvent {
  readonly type: "end";
  readonly reason: "eos" | "entropy" | "length" | "cancelled";
  /** Forward passes the sequence had rows in, prefill and commits included. */
  readonly passes: number;
  /** Milliseconds waited before admission. */
  readonly queueMs: number;
}

/** What a sequence tells while it runs, in order. */
export type SequenceEvent = AdmittedEvent | PrefilledEvent | StepEvent | BlockEvent | EndEvent;

/** Thrown by `submit()` before any work: try again later. */
export class BusyError extends Error {
  override readonly name = "BusyError";
  constructor(readonly code: "queue_full" | "draining" | "model_loading" | "device_lost") {
    super(`Cannot take the sequence: ${code.replaceAll("_", " ")}`);
  }
}

/** Why an engine takes nothing where it stands. */
export function busyCode(status: Exclude<Engine["status"], "ready">): BusyError["code"] {
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

/** A running or waiting sequence, seen from outside the engine. */
export interface Generation {
  /** Sequences waiting before this one at submission; 0 when it runs at once. */
  readonly queuePosition: number;
  /**
   * Events in order; ends after `EndEvent`. Throws `SequenceError` when the sequence failed.
   * Leaving the loop early cancels the sequence.
   */
  readonly events: AsyncIterable<SequenceEvent>;
  /** Ends the sequence with reason `cancelled`: at the next burst, or at once where it waits. */
  cancel(): void;
}

/** Why a sequence ended without an `EndEvent`. */
export class SequenceError extends Error {
  override readonly name = "SequenceError";
  constructor(
    readonly code: "internal_error" | "device_lost" | "draining",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The engine as the server sees it. */
export interface Engine {
  /** What is loaded; known before the first request is accepted. */
  readonly model: ModelInfo;
  /**
   * Takes sequences, all or none: in the order of their requests.
   *
   * @throws {BusyError} If it cannot take all of them now.
   */
  submit(requests: readonly SequenceRequest[]): Generation[];
  /**
   * Takes texts to score; one request after the other, beside the sequences.
   *
   * @throws {BusyError} If it cannot take them now.
   */
  score(request: ScoreRequest): Scoring;
  /** Where the engine stands: only `ready` takes sequences. */
  readonly status: "loading" | "ready" | "draining" | "device_lost" | "failed";
  /** What it holds and what it has done so far. */
  readonly stats: EngineStats;
}

/** One of the engines that serve a model. It takes no more sequences than it has slots. */
export interface PooledEngine extends Engine {
  readonly status: Exclude<Engine["status"], "draining">;
  /**
   * Resolves when sequences are taken.
   *
   * @throws {EngineStartError} If the engine does not start.
   */
  readonly ready: Promise<ModelInfo>;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/** Engines of a model as the program has them that starts and ends them. */
export interface OwnedEngine extends Omit<PooledEngine, "status"> {
  readonly status: Engine["status"];
  /** Takes nothing more; what is under way goes on. */
  drain(): void;
}

/** What an engine holds now and has done since its start. */
export interface EngineStats {
  /** Sequences taken that have not ended, and those of them that wait for a slot. */
  readonly running: number;
  readonly waiting: number;
  /** Scorings taken that have not ended. */
  readonly scorings: number;
  /** Sequences that can run at a time. */
  readonly slots: number;
  readonly usedPages: number;
  readonly freePages: number;
  /** Passes with a denoising row, and those that only fill the cache. */
  readonly denoisePasses: number;
  readonly commitPasses: number;
  readonly prefixCache: PrefixCacheUse;
  /** Bytes on the device. */
  readonly memory: DeviceMemory;
  /** How often the device was lost, with its engine or by itself. */
  readonly losses: number;
}

/** What requests may ask of the loaded model. */
export interface ModelInfo {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly contextLength: number;
  /** Whether a sequence may go on past the context length. */
  readonly slides: boolean;
  /** Whether the likelihood of a text can be bounded. */
  readonly scores: boolean;
  readonly vocabSize: number;
  /** `null` where the model has none. */
  readonly bosToken: number | null;
  readonly eosToken: number | null;
  readonly maskToken: number;
  /** Tokens that end a sequence, `eosToken` first. */
  readonly stopTokens: readonly number[];
  /** Rising. */
  readonly blockSizes: readonly number[];
  readonly defaultBlockSize: number;
  /** Sampling that requests get which do not say; what is left out here is the contract's. */
  readonly defaults: SamplingDefaults;
  /** Sub-block size where it divides the block; `null`: that of the block. */
  readonly defaultSubBlockSize: number | null;
  /** Adapter name, for `system_fingerprint` and the start line. */
  readonly adapter: string;
  /** Whether the adapter is the CPU: a software driver. */
  readonly isCpu: boolean;
}
