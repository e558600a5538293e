/** The engine's Worker: opens the device, loads the model, and runs the engine until the end. */
import type { FromEngine, Port, ToEngine } from "../engine/protocol.ts";
import { type OpenEngine, runEngine } from "./open_engine.ts";

// The library's types are those of a window. The first message is OpenEngine, all others ToEngine.
const scope = self as unknown as Port<ToEngine, FromEngine>;

self.onmessage = ({ data: source }: MessageEvent<OpenEngine>) => runEngine(scope, { source });
