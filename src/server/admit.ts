import type { ModelInfo, SequenceRequest } from "../engine/request.ts";
import { checkStatus, type LoadedModel } from "./loaded_models.ts";
import type { ServerParts } from "./parts.ts";
import { Run } from "./run.ts";

/** What a request asks of its model's engine. */
export interface Admission {
  /** Names the request's events and answer. */
  readonly id: string;
  readonly model: LoadedModel;
  /** One for each choice, in their order. */
  readonly sequences: readonly SequenceRequest[];
  readonly stop: readonly string[];
  readonly resumeMs: number;
}

/**
 * Submits all sequences of a request, or none.
 *
 * @throws {RequestError | BusyError} If they cannot be taken now.
 */
export async function admit(
  { version, nowMs, observeRun }: Pick<ServerParts, "version" | "nowMs" | "observeRun">,
  { id, model, sequences, stop, resumeMs }: Admission,
): Promise<Run[]> {
  const { engine } = model;
  // Before the engine is asked, so that nothing comes between its yes and the first event.
  const fingerprint = await systemFingerprint(engine.model, version);
  checkStatus(engine.status);
  const submittedMs = nowMs();
  return engine.submit(sequences).map((generation, i) => {
    const request = sequences[i]!; // As many generations as requests.
    const observer = observeRun({ model: engine.model.id, request, submittedMs, nowMs });
    const of = { id, model, request, generation, stop, resumeMs, fingerprint, nowMs, submittedMs };
    return new Run({ ...of, observer });
  });
}

/** Names what a seed's tokens depend on beside the request: model, device and version. */
async function systemFingerprint({ id, adapter }: ModelInfo, version: string): Promise<string> {
  const named = new TextEncoder().encode(JSON.stringify([id, adapter, version]));
  return `bd-${new Uint8Array(await crypto.subtle.digest("SHA-256", named)).toHex().slice(0, 12)}`;
}
