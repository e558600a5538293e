import { assertEquals, assertRejects } from "@std/assert";
import { resolve } from "@std/path";
import { type OpenEngine, runEngine } from "../../src/commands/open_engine.ts";
import { EngineClient, EngineStartError } from "../../src/engine/client.ts";
import type { StartFailure, StartStage } from "../../src/engine/protocol.ts";
import { type Generation, SequenceError, type StepEvent } from "../../src/engine/request.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { requestOf } from "../support/device_engine.ts";
import { FaultyDenoiser } from "../support/faulty_denoiser.ts";

const SOURCE: OpenEngine = {
  id: "tiny",
  directory: resolve(import.meta.dirname!, "../fixtures/bd3lm-tiny"),
  weights: null,
  tune: false,
  prefixCache: true,
  slots: 2,
  contextLength: 24,
  memoryBytes: null,
};
const REQUEST = requestOf([1, 2, 3], { maxTokens: 21, trace: true });

/** An engine on a device of its own, in this isolate. */
class Run implements AsyncDisposable {
  readonly client: EngineClient;
  /** Resolves when it fails after it was ready. */
  readonly failure: Promise<StartFailure>;
  readonly #channel = new MessageChannel();
  readonly #ended: Promise<void>;
  #gpu: Gpu | null = null;

  /** What it is at before it is ready, as often as it tells. */
  readonly stages: StartStage[] = [];

  /** @param options `lossyBurst`: the device is lost when this one was submitted. */
  constructor(options: { readonly source?: OpenEngine; readonly lossyBurst?: number } = {}) {
    const failure = Promise.withResolvers<StartFailure>();
    const { port1, port2 } = this.#channel;
    const onFailure = failure.resolve;
    this.failure = failure.promise;
    const onProgress = (_done: number, _total: number, stage: StartStage) =>
      void this.stages.push(stage);
    this.client = new EngineClient(port1, { maxConcurrent: 12, onFailure, onProgress });
    const afterSubmit = (burst: number) => {
      if (burst === options.lossyBurst) this.loseDevice();
    };
    this.#ended = runEngine(port2, {
      source: options.source ?? SOURCE,
      observe: (denoiser, gpu) => {
        this.#gpu = gpu;
        return new FaultyDenoiser(denoiser, { afterSubmit });
      },
    });
  }

  loseDevice(): void {
    this.#gpu?.device.destroy();
  }

  /** Ends with the device. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.loseDevice();
    await this.#ended;
    this.#channel.port1.close();
    this.#channel.port2.close();
  }
}

/** The steps of a traced sequence, and the code of its error if it has one. */
async function follow(
  { events }: Generation,
): Promise<{ steps: StepEvent[]; code: string | null }> {
  const steps: StepEvent[] = [];
  try {
    for await (const event of events) if (event.type === "step") steps.push(event);
    return { steps, code: null };
  } catch (error) {
    if (!(error instanceof SequenceError)) throw error;
    return { steps, code: error.code };
  }
}

Deno.test("runEngine() tells of a device that is lost while there is no work", async () => {
  await using run = new Run();
  await run.client.ready;
  run.loseDevice();
  const { kind, message } = await run.failure;
  assertEquals([kind, message.startsWith("Device lost")], ["gpu", true]);
  assertEquals(run.client.status, "device_lost");
});

// Of a sequence with a trace every burst is one step, read before the next one is submitted.
for (const lossyBurst of [0, 1, 7]) {
  Deno.test(`runEngine() gives nothing of burst ${lossyBurst}, in which the device is lost`, async () => {
    await using undisturbed = new Run();
    await undisturbed.client.ready;
    const expected = await follow(undisturbed.client.submit([REQUEST])[0]!);
    assertEquals([expected.code, expected.steps.length], [null, 21]);
    await using run = new Run({ lossyBurst });
    await run.client.ready;
    const { steps, code } = await follow(run.client.submit([REQUEST])[0]!);
    assertEquals([code, steps], ["device_lost", expected.steps.slice(0, lossyBurst)]);
    assertEquals((await run.failure).kind, "gpu");
  });
}

Deno.test("runEngine() bounds the context of models that cannot slide, in whole blocks", async () => {
  const directory = resolve(import.meta.dirname!, "../fixtures/sdar-tiny");
  for (const [contextLength, expected] of [[51, 48], [1, 4], [1 << 20, 32_768]] as const) {
    await using run = new Run({ source: { ...SOURCE, directory, slots: 1, contextLength } });
    await run.client.ready;
    const { model } = run.client;
    assertEquals([model.contextLength, model.slides, model.scores], [expected, false, true]);
  }
  await using run = new Run();
  await run.client.ready;
  assertEquals([run.client.model.contextLength, run.client.model.slides], [32, true]);
});

Deno.test("runEngine() says of a model with moved logits that it cannot be scored", async () => {
  const directory = resolve(import.meta.dirname!, "../fixtures/fastdllm-tiny");
  await using run = new Run({ source: { ...SOURCE, directory, slots: 1 } });
  await run.client.ready;
  assertEquals(run.client.model.scores, false);
});

Deno.test("runEngine() tells why it cannot start", async () => {
  await using run = new Run({ source: { ...SOURCE, directory: "/no/such/directory" } });
  const error = await assertRejects(() => run.client.ready, EngineStartError);
  assertEquals(error.failure.kind, "checkpoint");
});

Deno.test("runEngine() tells of measuring before it tells of loading", async () => {
  await using plain = new Run();
  await plain.client.ready;
  assertEquals(new Set(plain.stages), new Set(["loading"]));
  await using run = new Run({ source: { ...SOURCE, tune: true } });
  await run.client.ready;
  assertEquals([...new Set(run.stages)], ["measuring kernels", "loading"]);
  assertEquals(run.stages.filter((stage) => stage === "loading"), plain.stages);
});
