import { SequenceError } from "../engine/request.ts";
import type { Log } from "../telemetry/log.ts";
import { type RequestError, toRequestError } from "./errors.ts";

/**
 * What a client is told of `error`; what it is not told is logged. Only the engine's messages are:
 * it knows token ids and kernels, while other messages may hold text of a request or file names.
 */
export function reportFailure(error: unknown, log: Log, requestId: string): RequestError {
  const told = toRequestError(error, requestId);
  if (told.code === "internal_error") {
    log("error", {
      request_id: requestId,
      error: error instanceof Error ? error.name : typeof error,
      message: error instanceof SequenceError ? error.message : null,
      cause: error instanceof Error && error.cause instanceof Error ? error.cause.name : null,
    });
  }
  return told;
}
