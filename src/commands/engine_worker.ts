/** The engine's Worker: opens the device, loads the model, and runs the engine until the end. */
import type { FromEngine, Port, ToEngine } from "../engine/protocol.ts";
import { Gpu } from "../gpu/mod.ts";
import { type OpenEngine, openEngine, toFailure } from "./open_engine.ts";

// The library's types are those of a window. The first message is OpenEngine, all others ToEngine.
const scope = self as unknown as Port<ToEngine, FromEngine>;

self.onmessage = async ({ data: source }: MessageEvent<OpenEngine>) => {
  try {
    using gpu = await Gpu.open();
    await openEngine(scope, { gpu, source });
  } catch (error) {
    scope.postMessage({ type: "failed", failure: toFailure(error) });
  }
};
