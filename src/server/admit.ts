import type { ModelInfo, SequenceRequest } from "../engine/request.ts";
import { checkStatus, type LoadedModel } from "./loaded_models.ts";
import type { ServerParts } from "./parts.ts";
import { Run } from "./run.ts";
import type { AskedFacts } from "./token_facts.ts";

/** What a request asks of its model's engine. */
export interface Admission {
  /** Names the request's events and answer. */
  readonly id: string;
  readonly model: LoadedModel;
  /** One for each choice, in their order. */
  readonly sequences: readonly SequenceRequest[];
  readonly stop: readonly string[];
  readonly resumeMs: number;
  /** What is to be told of each token; nothing where left out. */
  readonly asked?: AskedFacts;
}

/**
 * Submits all sequences of a request, or none.
 *
 * @throws {RequestError | BusyError} If they cannot be taken now.
 */
export async function admit(
  { version, nowMs, observeRun }: Pick<ServerParts, "version" | "nowMs" | "observeRun">,
  { sequences, ...admission }: Admission,
): Promise<Run[]> {
  const { engine } = admission.model;
  // Before the engine is asked, so that nothing comes between its yes and the first event.
  const fingerprint = await systemFingerprint(engine.model, version);
  checkStatus(engine.status);
  const submittedMs = nowMs();
  return engine.submit(sequences).map((generation, i) => {
    const request = sequences[i]!; // As many generations as requests.
    const observer = observeRun({ model: engine.model.id, request, submittedMs, nowMs });
    const times = { nowMs, submittedMs };
    return new Run({ ...admission, ...times, request, generation, fingerprint, observer });
  });
}

/** Names what a seed's tokens depend on beside the request: model, device and version. */
async function systemFingerprint({ id, adapter }: ModelInfo, version: string): Promise<string> {
  const named = new TextEncoder().encode(JSON.stringify([id, adapter, version]));
  return `bd-${new Uint8Array(await crypto.subtle.digest("SHA-256", named)).toHex().slice(0, 12)}`;
}
