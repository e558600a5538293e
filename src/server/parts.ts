import type { Log } from "../telemetry/log.ts";
import type { LoadedModels } from "./loaded_models.ts";
import type { RandomBytes } from "./request_id.ts";
import type { ServerSettings } from "./settings.ts";

/** What routes are made of. */
export interface ServerParts {
  readonly models: LoadedModels;
  readonly settings: ServerSettings;
  /** Version of this software, a part of `system_fingerprint`. */
  readonly version: string;
  readonly log: Log;
  /** Milliseconds since the epoch, never falling. */
  readonly nowMs: () => number;
  readonly randomBytes: RandomBytes;
}
