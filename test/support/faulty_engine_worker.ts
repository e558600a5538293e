/** The engine's Worker, with faults to order: {@linkcode FaultOrder} among the other messages. */
import { type OpenEngine, runEngine } from "../../src/commands/open_engine.ts";
import type { FromEngine, Port, ToEngine } from "../../src/engine/protocol.ts";
import { FaultyDenoiser } from "./faulty_denoiser.ts";

/** What goes wrong when the Worker gets this. */
export interface FaultOrder {
  readonly fault: "device_lost" | "forward_error" | "engine_error";
}

// The library's types are those of a window. The first message is OpenEngine.
const scope = self as unknown as Port<ToEngine, FromEngine>;

self.onmessage = ({ data: source }: MessageEvent<OpenEngine>) =>
  runEngine(scope, {
    source,
    observe: (denoiser, gpu) => {
      const faulty = new FaultyDenoiser(denoiser);
      self.addEventListener("message", ({ data }: MessageEvent<ToEngine | FaultOrder>) => {
        if (!("fault" in data)) return;
        if (data.fault === "device_lost") return gpu.device.destroy();
        if (data.fault === "forward_error") return faulty.failNextStep();
        throw new Error("Cannot go on: an error was ordered");
      });
      return faulty;
    },
  });
