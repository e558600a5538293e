import { EngineLoop } from "../../src/engine/engine.ts";
import type { SequenceEvent, SequenceRequest } from "../../src/engine/request.ts";
import { nextTurn } from "../../src/engine/worker.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { allocateModel, GpuDenoiser, type Network } from "../../src/model/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { scriptedScore } from "./scripted_score.ts";

/** Tokens of a sequence at most where the model does not slide. */
const CONTEXT = 512;

/** What a sequence came to. */
export interface Outcome {
  readonly tokens: readonly number[];
  readonly events: readonly SequenceEvent[];
}

/** A sequence under way. */
export interface Started {
  readonly id: number;
  readonly events: readonly SequenceEvent[];
  readonly outcome: Promise<Outcome>;
}

/** A request that continues `prompt` with everything else at its default. */
export function requestOf(
  prompt: readonly number[],
  options: Partial<SequenceRequest> = {},
): SequenceRequest {
  return {
    prompt,
    maxTokens: 8,
    blockSize: 4,
    strategy: { strategy: "first_hitting" },
    temperature: 1,
    topP: 1,
    topK: 0,
    seed: 1,
    choice: 0,
    stopTokens: [],
    minEntropy: 0,
    trace: false,
    ...options,
  };
}

/** The product's engine on the product's denoiser, in this isolate. */
export class DeviceEngine implements AsyncDisposable {
  readonly network: Network;
  readonly denoiser: GpuDenoiser;
  readonly loop: EngineLoop;
  /** Passes so far, by whether a block was denoised in them. */
  readonly passes = { denoise: 0, commit: 0 };
  readonly #waiting = new Map<
    number,
    { events: SequenceEvent[]; done: PromiseWithResolvers<Outcome> }
  >();
  readonly #running: Promise<void>;
  #nextId = 0;

  private constructor(network: Network, denoiser: GpuDenoiser) {
    this.network = network;
    this.denoiser = denoiser;
    this.loop = new EngineLoop(denoiser, {
      score: scriptedScore,
      listener: {
        onScored: () => {},
        onEvent: (id, event) => this.#receive(id, event),
        onLoad: ({ denoisePasses, commitPasses }) => {
          this.passes.denoise += denoisePasses;
          this.passes.commit += commitPasses;
        },
        onError: (id, error) => this.#waiting.get(id)!.done.reject(error),
      },
      now: () => performance.now(),
      nextTurn,
    });
    this.#running = this.loop.run();
  }

  static async open(
    gpu: Gpu,
    directory: string,
    { slots, format = "f32", prefixCache = true }: {
      readonly slots: number;
      readonly format?: WeightFormat;
      readonly prefixCache?: boolean;
    },
  ): Promise<DeviceEngine> {
    using checkpoint = Checkpoint.open(directory);
    const options = { weights: format, slots, contextLength: CONTEXT, memoryBytes: null };
    const { network, fill } = await allocateModel(gpu, checkpoint, options);
    await fill();
    const denoiser = await GpuDenoiser.open(gpu, network, { slots, prefixCache });
    return new DeviceEngine(network, denoiser);
  }

  /** Runs requests side by side. */
  generate(requests: readonly SequenceRequest[]): Promise<Outcome[]> {
    return Promise.all(requests.map((request) => this.start(request).outcome));
  }

  /** Starts one request; `events` is what it tells so far. */
  start(request: SequenceRequest): Started {
    const id = this.#nextId++;
    const done = Promise.withResolvers<Outcome>();
    const events: SequenceEvent[] = [];
    this.#waiting.set(id, { events, done });
    this.loop.submit(id, request);
    return { id, events, outcome: done.promise };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.loop.close();
    await this.#running;
    this.denoiser[Symbol.dispose]();
    this.network[Symbol.dispose]();
  }

  #receive(id: number, event: SequenceEvent): void {
    const { events, done } = this.#waiting.get(id)!;
    events.push(event);
    if (event.type !== "end") return;
    const tokens = events.flatMap((each) => each.type === "block" ? each.tokens : []);
    this.#waiting.delete(id);
    done.resolve({ tokens, events });
  }
}
