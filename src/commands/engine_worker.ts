/** The engine's Worker: opens the device, loads the model, and runs the engine until the end. */
import type { FromEngine, Port, ToEngine } from "../engine/protocol.ts";
import { type OpenEngine, runEngine } from "./open_engine.ts";

// The library's types are those of a window. The first message is OpenEngine, all others ToEngine.
// Node's Workers have no `self`.
const opening = globalThis as unknown as Port<OpenEngine, never>;
const port = globalThis as unknown as Port<ToEngine, FromEngine>;

opening.onmessage = ({ data: source }) => void runEngine(port, { source });
