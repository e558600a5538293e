import { assertEquals, assertRejects } from "@std/assert";
import { EngineClient } from "../../src/engine/client.ts";
import { type Generation, SequenceError, type SequenceEvent } from "../../src/engine/request.ts";
import { serveEngine } from "../../src/engine/worker.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import { copyOf, copyRequest, tokensFrom } from "../support/copy_request.ts";
import { type DenoiserScript, ScriptedDenoiser } from "../support/scripted_denoiser.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";
import { halves, scriptedScore } from "../support/scripted_score.ts";

/** Client and engine at the two ends of a message channel. */
class Wired implements AsyncDisposable {
  readonly client: EngineClient;
  readonly denoiser: ScriptedDenoiser;
  /** Rejects when the device fails. */
  readonly serving: Promise<void>;
  readonly #channel = new MessageChannel();

  constructor(script: DenoiserScript = {}) {
    this.denoiser = new ScriptedDenoiser(script);
    const { port1, port2 } = this.#channel;
    // More than the slots: what waits does so in the engine.
    this.client = new EngineClient(port1, { maxConcurrent: 100 });
    const { denoiser } = this;
    this.serving = serveEngine(port2, { denoiser, score: scriptedScore, model: BYTE_MODEL });
    this.serving.catch(() => {}); // Looked at by the test that loses the device.
  }

  static async open(script?: ConstructorParameters<typeof Wired>[0]): Promise<Wired> {
    const wired = new Wired(script);
    await wired.client.ready;
    return wired;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#channel.port1.close();
    this.#channel.port2.close();
    return Promise.resolve();
  }
}

async function readTokens({ events }: Generation): Promise<number[]> {
  const tokens: number[] = [];
  for await (const event of events) if (event.type === "block") tokens.push(...event.tokens);
  return tokens;
}

Deno.test("serveEngine() says what it serves and answers requests", async () => {
  await using wired = await Wired.open();
  assertEquals(wired.client.model, BYTE_MODEL);
  const request = copyRequest(tokensFrom(65, 5), { maxTokens: 6, trace: true });
  const events: SequenceEvent[] = await Array.fromAsync(wired.client.submit([request])[0]!.events);
  const types = events.map(({ type }) => type);
  const others = types.filter((type) => type !== "step");
  assertEquals(others, ["admitted", "prefilled", "block", "block", "end"]);
  assertEquals(types.length - others.length, 8);
});

Deno.test("serveEngine() keeps 100 sequences apart", async () => {
  await using wired = await Wired.open({ limits: { slots: 4 } });
  const requests = Array.from({ length: 100 }, (_, i) => copyRequest(tokensFrom(i, 1 + i % 7)));
  const answers = await Promise.all(
    requests.map((each) => readTokens(wired.client.submit([each])[0]!)),
  );
  assertEquals(answers, requests.map(({ prompt }) => copyOf(prompt, 8)));
  assertEquals(wired.denoiser.openSlots, 0);
});

Deno.test("serveEngine() frees the slot of a sequence that nobody reads on", async () => {
  await using wired = await Wired.open({ limits: { slots: 1 } });
  const { client, denoiser } = wired;
  const endless = client.submit([copyRequest([1, 2, 3], { maxTokens: 4000 })])[0]!;
  const next = client.submit([copyRequest([4, 5])])[0]!;
  for await (const event of endless.events) if (event.type === "block") break;
  assertEquals(await readTokens(next), copyOf([4, 5], 8));
  await client.idle();
  assertEquals([denoiser.openSlots, denoiser.freePages], [0, denoiser.limits.pages]);
});

Deno.test("serveEngine() ends cancelled sequences, those that wait too", async () => {
  await using wired = await Wired.open({ limits: { slots: 1 } });
  const request = copyRequest([1, 2, 3], { maxTokens: 4000 });
  const generations = Array.from({ length: 3 }, () => wired.client.submit([request])[0]!);
  for (const each of generations) each.cancel();
  for (const { events } of generations) {
    const last = (await Array.fromAsync(events)).at(-1);
    assertEquals(last?.type === "end" && last.reason, "cancelled");
  }
});

Deno.test("serveEngine() takes what waits to its end, too", async () => {
  await using wired = await Wired.open({ limits: { slots: 1 } });
  const requests = [1, 2, 3].map((i) => copyRequest([i], { maxTokens: 50 }));
  const generations = requests.map((each) => wired.client.submit([each])[0]!);
  await wired.client.idle();
  const answers = await Promise.all(generations.map(readTokens));
  assertEquals(answers, [1, 2, 3].map((i) => copyOf([i], 50)));
});

Deno.test("serveEngine() passes on what fails one sequence", async () => {
  await using wired = await Wired.open();
  wired.denoiser.failNextStep();
  const [failed, other] = wired.client.submit([copyRequest([1]), copyRequest([2])]);
  const error = await assertRejects(() => readTokens(failed!), SequenceError);
  assertEquals(error.code, "internal_error");
  assertEquals(await readTokens(other!), copyOf([2], 8));
});

Deno.test("serveEngine() scores beside sequences, and takes scorings back", async () => {
  await using wired = await Wired.open({ limits: { slots: 1 } });
  const request = {
    texts: [1, 2, 3].map((i) => ({ tokens: tokensFrom(65, 5 + i), given: i })),
    blockSize: 4,
    samples: 1,
    seed: 1,
    byToken: true,
  };
  const endless = wired.client.submit([copyRequest([1, 2], { maxTokens: 4000 })])[0]!;
  const [first, second] = [wired.client.score(request), wired.client.score(request)];
  second!.cancel();
  assertEquals(await first!.scores, halves(request));
  assertEquals(await second!.scores, null);
  endless.cancel();
  await wired.client.idle();
});

Deno.test("serveEngine() ends with the device, after telling every sequence", async () => {
  await using wired = await Wired.open({ limits: { slots: 1 } });
  const request = copyRequest([1], { maxTokens: 4000 });
  const generations = wired.client.submit([request, request]);
  wired.denoiser.loseDevice();
  for (const generation of generations) {
    const error = await assertRejects(() => readTokens(generation), SequenceError);
    assertEquals(error.code, "device_lost");
  }
  await assertRejects(() => wired.serving, GpuError);
});

// The engine's Worker does nothing but compute between two turns: it must not overhear its port.
const BUSY_WORKER = `
  import { nextTurn } from "${import.meta.resolve("../../src/engine/worker.ts")}";
  const seen = [];
  self.onmessage = ({ data }) => seen.push(data);
  self.postMessage("ready");
  while (seen.length < 3) {
    for (let end = performance.now() + 5; performance.now() < end;);
    await nextTurn();
  }
  self.postMessage(seen);
`;

Deno.test("nextTurn() lets messages into a Worker that never sleeps", async () => {
  const source = `data:application/javascript,${encodeURIComponent(BUSY_WORKER)}`;
  const worker = new Worker(source, { type: "module" });
  const seen = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => {
      if (data !== "ready") return resolve(data);
      for (const message of [1, 2, 3]) worker.postMessage(message);
    };
  });
  worker.terminate();
  assertEquals(seen, [1, 2, 3]);
});
