import type { RunningModel } from "../../src/commands/engines.ts";
import type { FaultOrder } from "./faulty_engine_worker.ts";

/** A model with faults to order. */
export interface FaultyModel extends RunningModel {
  /**
   * Loses the device; without one, behaves as if a new one were there `ms` later. Resolves when
   * the engine's clients were told.
   */
  loseDevice(ms: number): Promise<void>;
  /** Throws in the engine's Worker where nothing catches it. Resolves as `loseDevice()` does. */
  breakWorker(): Promise<void>;
  /** Makes the next denoising step of one sequence fail. */
  failNextStep(): void;
}

/** Starts a model in a Worker that takes orders; `start` is told how to make it. */
export function startFaultyModel(
  start: (createWorker: () => Worker) => RunningModel,
): FaultyModel {
  let worker: Worker;
  let replaced = Promise.withResolvers<void>();
  const model = start(() => {
    replaced.resolve();
    replaced = Promise.withResolvers();
    const url = new URL("./faulty_engine_worker.ts", import.meta.url);
    return worker = new Worker(url, { type: "module" });
  });
  const order = (fault: FaultOrder["fault"]) => worker.postMessage({ fault } satisfies FaultOrder);
  const end = async (fault: FaultOrder["fault"]) => {
    // What is lost already cannot be lost again.
    if (model.engine.status !== "ready") return;
    const { promise } = replaced;
    order(fault);
    await promise;
  };
  return {
    ...model,
    loseDevice: () => end("device_lost"),
    breakWorker: () => end("engine_error"),
    failNextStep: () => order("forward_error"),
  };
}
