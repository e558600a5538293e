import type { DeviceMemory, PrefixCacheUse } from "../model/denoiser.ts";
import type { ScoreRequest, TextScore } from "./score.ts";
import type { ModelInfo, SequenceError, SequenceEvent, SequenceRequest } from "./request.ts";

/** From the main isolate to the engine's Worker. */
export type ToEngine =
  | { readonly type: "submit"; readonly id: number; readonly request: SequenceRequest }
  | { readonly type: "score"; readonly id: number; readonly request: ScoreRequest }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "close" };

/** What an engine is at before it is ready. */
export type StartStage = "measuring kernels" | "loading";

/** From the engine's Worker to the main isolate. */
export type FromEngine =
  | {
    readonly type: "progress";
    readonly stage: StartStage;
    readonly done: number;
    readonly total: number;
  }
  | { readonly type: "ready"; readonly model: ModelInfo }
  | { readonly type: "load"; readonly load: EngineLoad }
  | { readonly type: "event"; readonly id: number; readonly event: SequenceEvent }
  | {
    readonly type: "scored";
    readonly id: number;
    /** `null`: it was cancelled. */
    readonly scores: readonly TextScore[] | null;
  }
  | {
    readonly type: "error";
    readonly id: number;
    readonly code: SequenceError["code"];
    readonly message: string;
  }
  | { readonly type: "failed"; readonly failure: StartFailure }
  /** After `close`: the device and all its memory are given back. */
  | { readonly type: "closed" };

/** What the engine holds, told before the end of a sequence and after every burst. */
export interface EngineLoad {
  readonly usedPages: number;
  readonly freePages: number;
  /** Passes since this was told last: with a denoising row, and those that only fill the cache. */
  readonly denoisePasses: number;
  readonly commitPasses: number;
  /** Counts since this was told last, too. */
  readonly prefixCache: PrefixCacheUse;
  readonly memory: DeviceMemory;
}

/** Why there is no engine, or no longer one. */
export interface StartFailure {
  readonly kind: "checkpoint" | "gpu" | "internal";
  readonly message: string;
  /** File of the checkpoint that is at fault, and the code of `check`. */
  readonly file?: string;
  readonly code?: string;
}

/** One end of a message channel. */
export interface Port<Incoming, Outgoing> {
  postMessage(message: Outgoing): void;
  onmessage: ((event: MessageEvent<Incoming>) => void) | null;
}
