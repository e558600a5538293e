import type { Generation, SequenceRequest } from "../engine/request.ts";
import { RequestError } from "./errors.ts";
import type { BlockData } from "./events.ts";
import type { LoadedModel } from "./loaded_models.ts";
import type { AskedFacts } from "./token_facts.ts";

/** Told what becomes of a run, before the client is. Times in milliseconds. */
export interface RunObserver {
  /** The sequence left the line after `queueMs`. */
  admitted(queueMs: number): void;
  /** Its prompt is in the cache, `ms` after admission. */
  prefilled(ms: number): void;
  /** A block as the client gets it, `sinceSubmissionMs` after the sequence was submitted. */
  block(block: BlockData, sinceSubmissionMs: number): void;
  /** Nothing follows. */
  ended(reason: "stop" | "length" | "cancelled" | "error"): void;
}

/** What a {@linkcode Run} is made of. */
export interface RunParts {
  /** Names its events. */
  readonly id: string;
  readonly model: LoadedModel;
  readonly request: SequenceRequest;
  readonly generation: Generation;
  readonly stop: readonly string[];
  /** What is to be told of each token; nothing where left out. */
  readonly asked?: AskedFacts;
  readonly resumeMs: number;
  /** `system_fingerprint`. */
  readonly fingerprint: string;
  readonly observer: RunObserver;
  /** Milliseconds since the epoch, rising. */
  readonly nowMs: () => number;
  /** When the sequence was submitted, on the clock of `nowMs`. */
  readonly submittedMs: number;
}

/** One sequence that a client asked for, under way: a choice of a request. */
export class Run {
  /** What the client is told in place of the end that the engine tells. */
  failure: RequestError | null = null;

  constructor(readonly parts: RunParts) {}

  /** Ends it; its events end with what the engine says then. */
  cancel(): void {
    this.parts.generation.cancel();
  }

  /** Ends it with an error that the client is told. */
  fail(error: RequestError): void {
    this.failure ??= error;
    this.cancel();
  }
}

/** How long a sequence may take to end once it was told to; a pass of a slow device takes long. */
const GRACE_MS = 1000;

/**
 * Lets runs, or what else can be failed, take no longer than `requestTimeoutMs` together. `giveUp` is
 * called where the engine does not end them even then.
 *
 * @returns Call it when they have ended.
 */
export function limitTime(
  runs: readonly Pick<Run, "fail">[],
  { requestTimeoutMs, giveUp }: {
    readonly requestTimeoutMs: number;
    readonly giveUp: (error: RequestError) => void;
  },
): () => void {
  let timer = setTimeout(() => {
    const message = `The generation took longer than ${requestTimeoutMs} ms`;
    const error = new RequestError("generation_timeout", message);
    for (const run of runs) run.fail(error);
    timer = setTimeout(() => giveUp(error), GRACE_MS);
  }, requestTimeoutMs);
  return () => clearTimeout(timer);
}
