import type { Denoiser } from "../model/denoiser.ts";
import { EngineLoop } from "./engine.ts";
import type { FromEngine, Port, ToEngine } from "./protocol.ts";
import type { ModelInfo } from "./request.ts";
import type { ScoreTexts } from "./score.ts";

/**
 * The Worker's end of the port: runs the engine on what comes in, and tells what it does.
 *
 * @throws {GpuError} When the device fails.
 */
export async function serveEngine(
  port: Port<ToEngine, FromEngine>,
  { denoiser, score, model }: {
    readonly denoiser: Denoiser;
    readonly score: ScoreTexts;
    readonly model: ModelInfo;
  },
): Promise<void> {
  const engine = new EngineLoop(denoiser, {
    score,
    listener: {
      onScored: (id, scores) => port.postMessage({ type: "scored", id, scores }),
      onEvent: (id, event) => port.postMessage({ type: "event", id, event }),
      onError: (id, { code, message }) => port.postMessage({ type: "error", id, code, message }),
      onLoad: (load) => port.postMessage({ type: "load", load }),
    },
    now: () => performance.now(),
    nextTurn,
  });
  port.onmessage = ({ data }) => {
    switch (data.type) {
      case "submit":
        return engine.submit(data.id, data.request);
      case "score":
        return engine.score(data.id, data.request);
      case "cancel":
        return engine.cancel(data.id);
      case "close":
        return engine.close();
    }
  };
  port.postMessage({ type: "ready", model });
  await engine.run();
}

/**
 * Resolves when the messages that have come in were handled. A message to oneself would overtake
 * them, again and again, and a timer would take milliseconds.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
