import type { SequenceRequest } from "../engine/request.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { LoadedModels } from "./loaded_models.ts";
import type { RandomBytes } from "./request_id.ts";
import type { RunObserver } from "./run.ts";
import type { ServerSettings } from "./settings.ts";
import type { StreamOptions } from "./sse.ts";

/** What routes are made of. */
export interface ServerParts {
  readonly models: LoadedModels;
  readonly settings: ServerSettings;
  /** Version of this software, a part of `system_fingerprint`. */
  readonly version: string;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How streams of events are kept going. */
  readonly stream: StreamOptions;
  /** Milliseconds since the epoch, never falling. */
  readonly nowMs: () => number;
  readonly randomBytes: RandomBytes;
  /** Somebody who is told what becomes of a sequence that was just submitted. */
  readonly observeRun: (run: ObservedRun) => RunObserver;
}

/** A sequence as those see it who observe it. */
export interface ObservedRun {
  /** Id of its model. */
  readonly model: string;
  readonly request: SequenceRequest;
  /** On the clock of `nowMs`. */
  readonly submittedMs: number;
  readonly nowMs: () => number;
}
