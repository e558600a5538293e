import type { Log } from "../telemetry/log.ts";

/**
 * Keeps the process alive when an error reaches nobody: it is a bug, which must not end everybody's
 * work. It is logged by its name, since its message may hold text of a request.
 *
 * @param target The global scope, where such errors come out.
 */
export function surviveStrayErrors(target: EventTarget, log: Log): void {
  const survive = (event: Event, error: unknown) => {
    event.preventDefault();
    const name = error instanceof Error ? error.name : typeof error;
    log("stray_error", { kind: event.type, error: name });
  };
  target.addEventListener("error", (event) => survive(event, (event as ErrorEvent).error));
  target.addEventListener(
    "unhandledrejection",
    (event) => survive(event, (event as PromiseRejectionEvent).reason),
  );
}
