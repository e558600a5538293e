import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type EngineCapacity,
  EngineClient,
  type EngineClientOptions,
  EngineStartError,
} from "../../src/engine/client.ts";
import type {
  EngineLoad,
  FromEngine,
  Port,
  StartFailure,
  ToEngine,
} from "../../src/engine/protocol.ts";
import {
  BusyError,
  type Generation,
  SequenceError,
  type SequenceEvent,
} from "../../src/engine/request.ts";
import { copyRequest } from "../support/copy_request.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

const REQUEST = copyRequest([1, 2, 3]);
const BLOCK: SequenceEvent = {
  type: "block",
  index: 0,
  position: 3,
  tokens: [1, 2, 3, 1],
  steps: 4,
  nfe: 4,
  ms: 1,
  last: true,
};
const END: SequenceEvent = { type: "end", reason: "length", passes: 5, queueMs: 0 };

const LOSS: StartFailure = { kind: "gpu", message: "lost" };
const LOAD: EngineLoad = {
  usedPages: 3,
  freePages: 4,
  denoisePasses: 5,
  commitPasses: 6,
  memory: { weights: 7, cache: 8, scratch: 9 },
};

/** An engine's port: what is sent to it, and a way to answer. */
class Answering implements Port<FromEngine, ToEngine> {
  readonly sent: ToEngine[] = [];
  onmessage: ((event: MessageEvent<FromEngine>) => void) | null = null;

  postMessage(message: ToEngine): void {
    this.sent.push(message);
  }

  answer(message: FromEngine): void {
    this.onmessage?.(new MessageEvent("message", { data: message }));
  }
}

/** A client, what it sent, and a way to answer. */
class Line {
  readonly client: EngineClient;
  port = new Answering();

  constructor(options: Partial<EngineClientOptions> = {}) {
    const capacity: EngineCapacity = { maxConcurrent: 2, maxQueue: 1 };
    this.client = new EngineClient(this.port, { ...capacity, ...options });
  }

  /** One that has said that it is ready. */
  static ready(options: Partial<EngineClientOptions> = {}): Line {
    const line = new Line(options);
    line.answer({ type: "ready", model: BYTE_MODEL });
    return line;
  }

  get sent(): readonly ToEngine[] {
    return this.port.sent;
  }

  answer(message: FromEngine): void {
    this.port.answer(message);
  }

  /** Gives the client another engine, which is not ready yet; the port of the one before. */
  replace(): Answering {
    const before = this.port;
    this.port = new Answering();
    this.client.attach(this.port);
    return before;
  }

  event(id: number, event: SequenceEvent): void {
    this.answer({ type: "event", id, event });
  }
}

async function readAll({ events }: Generation): Promise<SequenceEvent[]> {
  return await Array.fromAsync(events);
}

function refusal(client: EngineClient): string {
  return assertThrows(() => client.submit([REQUEST]), BusyError).code;
}

Deno.test("EngineClient is loading until the engine is ready", async () => {
  const progress: number[][] = [];
  const line = new Line({ onProgress: (...each) => progress.push(each) });
  assertEquals(line.client.status, "loading");
  assertEquals(refusal(line.client), "model_loading");
  assertThrows(() => line.client.model, TypeError, "still loading");
  line.answer({ type: "progress", done: 1, total: 2 });
  line.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals(await line.client.ready, BYTE_MODEL);
  assertEquals([line.client.status, line.client.model], ["ready", BYTE_MODEL]);
  assertEquals([progress, line.sent], [[[1, 2]], []]);
});

Deno.test("EngineClient rejects those who wait for an engine that does not start", async () => {
  const line = new Line();
  const failure = { kind: "checkpoint", message: "no weights", file: "a", code: "b" } as const;
  line.answer({ type: "failed", failure });
  const error = await assertRejects(() => line.client.ready, EngineStartError, "no weights");
  assertEquals(error.failure, failure);
  assertEquals([line.client.status, refusal(line.client)], ["failed", "device_lost"]);
});

Deno.test("EngineClient takes as many sequences as run and wait", () => {
  const line = Line.ready();
  const positions = [0, 1, 2].map(() => line.client.submit([REQUEST])[0]!.queuePosition);
  assertEquals(positions, [0, 0, 0]);
  assertEquals(refusal(line.client), "queue_full");
  assertEquals(line.sent.map(({ id }) => id), [0, 1, 2]);
  line.event(1, END);
  assertEquals(line.client.submit([REQUEST])[0]!.queuePosition, 0);
  assertEquals(refusal(line.client), "queue_full");
});

Deno.test("EngineClient tells how many wait before a sequence", () => {
  const line = new Line({ maxConcurrent: 1, maxQueue: 3 });
  line.answer({ type: "ready", model: BYTE_MODEL });
  const positions = Array.from(
    { length: 4 },
    () => line.client.submit([REQUEST])[0]!.queuePosition,
  );
  assertEquals(positions, [0, 0, 1, 2]);
});

Deno.test("EngineClient without a queue takes what runs at once", () => {
  const line = new Line({ maxConcurrent: 1, maxQueue: 0 });
  line.answer({ type: "ready", model: BYTE_MODEL });
  line.client.submit([REQUEST])[0]!;
  assertEquals(refusal(line.client), "queue_full");
});

Deno.test("EngineClient hands events to the sequence they belong to, in order", async () => {
  const line = Line.ready();
  const [first, second] = [line.client.submit([REQUEST])[0]!, line.client.submit([REQUEST])[0]!];
  line.event(1, { ...BLOCK, tokens: [7] });
  line.event(0, BLOCK);
  const reading = readAll(first);
  line.event(1, END);
  line.event(0, END);
  assertEquals(await reading, [BLOCK, END]);
  assertEquals(await readAll(second), [{ ...BLOCK, tokens: [7] }, END]);
});

Deno.test("EngineClient wakes a reader that came before the events", async () => {
  const line = Line.ready();
  const events = line.client.submit([REQUEST])[0]!.events[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) {
    const next = events.next();
    line.event(0, { ...BLOCK, index: i });
    assertEquals(await next, { done: false, value: { ...BLOCK, index: i } });
  }
  const last = events.next();
  line.event(0, END);
  assertEquals(await last, { done: false, value: END });
  assertEquals((await events.next()).done, true);
  assertEquals(line.sent.length, 1);
});

Deno.test("EngineClient throws a sequence's error after the events before it", async () => {
  const line = Line.ready();
  const { events } = line.client.submit([REQUEST])[0]!;
  line.event(0, BLOCK);
  line.answer({ type: "error", id: 0, code: "internal_error", message: "no numbers" });
  const seen: SequenceEvent[] = [];
  const error = await assertRejects(
    async () => {
      for await (const event of events) seen.push(event);
    },
    SequenceError,
    "no numbers",
  );
  assertEquals([seen, error.code], [[BLOCK], "internal_error"]);
  assertEquals(line.client.status, "ready");
});

Deno.test("EngineClient lets errors rest that nobody reads", () => {
  const line = Line.ready();
  line.client.submit([REQUEST])[0]!;
  line.answer({ type: "error", id: 0, code: "internal_error", message: "no numbers" });
});

Deno.test("EngineClient cancels a sequence whose reader leaves early", async () => {
  const line = Line.ready();
  const { events } = line.client.submit([REQUEST])[0]!;
  line.event(0, BLOCK);
  for await (const _ of events) break;
  assertEquals(line.sent.at(-1), { type: "cancel", id: 0 });
  assertEquals(line.sent.length, 2);
});

Deno.test("EngineClient does not cancel what has ended, read or not", async () => {
  const line = Line.ready();
  const generation = line.client.submit([REQUEST])[0]!;
  line.event(0, BLOCK);
  line.event(0, END);
  for await (const _ of generation.events) break;
  generation.cancel();
  assertEquals(line.sent.length, 1);
});

Deno.test("Generation.cancel() asks the engine, and the end comes from there", async () => {
  const line = Line.ready();
  const generation = line.client.submit([REQUEST])[0]!;
  generation.cancel();
  generation.cancel();
  assertEquals(line.sent.slice(1), Array(2).fill({ type: "cancel", id: 0 }));
  const end = { ...END, reason: "cancelled" } as const;
  line.event(0, end);
  assertEquals(await readAll(generation), [end]);
});

Deno.test("EngineClient takes nothing more while draining, and is idle at the last end", async () => {
  const line = Line.ready();
  const generation = line.client.submit([REQUEST])[0]!;
  line.client.drain();
  assertEquals([line.client.status, refusal(line.client)], ["draining", "draining"]);
  let isIdle = false;
  const idle = line.client.idle().then(() => isIdle = true);
  line.event(0, BLOCK);
  await Promise.resolve();
  assert(!isIdle, "idle while a sequence runs");
  line.event(0, END);
  await idle;
  assertEquals(await readAll(generation), [BLOCK, END]);
});

Deno.test("EngineClient without sequences is idle", async () => {
  await Line.ready().client.idle();
});

Deno.test("EngineClient that drains while it loads stays so", () => {
  const line = new Line();
  line.client.drain();
  line.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals([line.client.status, refusal(line.client)], ["draining", "draining"]);
});

Deno.test("EngineClient.abort() ends every sequence with the error", async () => {
  const line = Line.ready();
  const generations = [line.client.submit([REQUEST])[0]!, line.client.submit([REQUEST])[0]!];
  const idle = line.client.idle();
  line.client.abort(new SequenceError("draining", "The server is shutting down"));
  await idle;
  for (const generation of generations) {
    const error = await assertRejects(() => readAll(generation), SequenceError);
    assertEquals(error.code, "draining");
    generation.cancel();
  }
  // What was on its way goes nowhere.
  line.event(0, BLOCK);
  assertEquals(line.sent.length, 2);
});

Deno.test("EngineClient fails everybody when the device is lost, until another is ready", async () => {
  const line = Line.ready();
  const lost = [line.client.submit([REQUEST])[0]!, line.client.submit([REQUEST])[0]!];
  line.event(0, BLOCK);
  line.answer({ type: "failed", failure: LOSS });
  assertEquals([line.client.status, refusal(line.client)], ["device_lost", "device_lost"]);
  for (const generation of lost) {
    const error = await assertRejects(() => readAll(generation), SequenceError);
    assertEquals(error.code, "device_lost");
  }
  line.replace();
  assertEquals([line.client.status, refusal(line.client)], ["device_lost", "device_lost"]);
  line.answer({ type: "ready", model: { ...BYTE_MODEL, adapter: "another" } });
  assertEquals([line.client.status, line.client.model.adapter], ["ready", "another"]);
  const next = line.client.submit([REQUEST])[0]!;
  assertEquals(line.sent, [{ type: "submit", id: 2, request: REQUEST }]);
  line.event(2, BLOCK);
  line.event(2, END);
  assertEquals(await readAll(next), [BLOCK, END]);
});

Deno.test("EngineClient does not hear an engine that has failed", async () => {
  const line = Line.ready();
  line.client.submit([REQUEST]);
  line.answer({ type: "failed", failure: LOSS });
  line.answer({ type: "ready", model: BYTE_MODEL });
  line.answer({ type: "load", load: LOAD });
  assertEquals([line.client.status, line.client.stats.usedPages], ["device_lost", 0]);
  const before = line.replace();
  line.answer({ type: "ready", model: BYTE_MODEL });
  const next = line.client.submit([REQUEST])[0]!;
  // Ids go on, but a late message may have any.
  before.answer({ type: "event", id: 1, event: BLOCK });
  before.answer({ type: "error", id: 1, code: "device_lost", message: "lost" });
  before.answer({ type: "failed", failure: LOSS });
  line.event(1, END);
  assertEquals(await readAll(next), [END]);
  assertEquals([line.client.status, line.client.stats.losses], ["ready", 1]);
});

Deno.test("EngineClient does not ask a new engine to cancel what the one before had", () => {
  const line = Line.ready();
  const lost = line.client.submit([REQUEST])[0]!;
  line.answer({ type: "failed", failure: LOSS });
  line.replace();
  line.answer({ type: "ready", model: BYTE_MODEL });
  lost.cancel();
  assertEquals(line.sent, []);
});

Deno.test("EngineClient counts losses, not tries to come back", () => {
  const line = Line.ready();
  for (const kind of ["gpu", "gpu", "internal", "checkpoint"] as const) {
    line.answer({ type: "failed", failure: { kind, message: "no luck" } });
    line.replace();
  }
  assertEquals(line.client.stats.losses, 1);
  line.answer({ type: "ready", model: BYTE_MODEL });
  line.client.fail({ kind: "internal", message: "a bug" });
  assertEquals(line.client.stats.losses, 2);
});

Deno.test("EngineClient holds nothing while the device is lost, and goes on counting passes", () => {
  const line = Line.ready();
  line.answer({ type: "load", load: LOAD });
  line.answer({ type: "failed", failure: LOSS });
  const { running, usedPages, freePages, memory, denoisePasses } = line.client.stats;
  assertEquals([running, usedPages, freePages, denoisePasses], [0, 0, 0, 5]);
  assertEquals(memory, { weights: 0, cache: 0, scratch: 0 });
  line.replace();
  line.answer({ type: "load", load: LOAD });
  const { usedPages: used, commitPasses } = line.client.stats;
  assertEquals([used, commitPasses], [3, 12]);
});

// What ends an engine is no affair of clients: they may try again either way.
for (
  const [kind, status] of [
    ["internal", "device_lost"],
    ["checkpoint", "failed"],
  ] as const
) {
  Deno.test(`EngineClient is ${status} after a failure of kind ${kind}`, async () => {
    const line = Line.ready();
    const generation = line.client.submit([REQUEST])[0]!;
    line.answer({ type: "failed", failure: { kind, message: "a bug" } });
    assertEquals([line.client.status, refusal(line.client)], [status, "device_lost"]);
    const error = await assertRejects(() => readAll(generation), SequenceError);
    assertEquals(error.code, "device_lost");
  });
}

Deno.test("EngineClient that drains stays so when the device is lost, and is idle", async () => {
  const line = Line.ready();
  line.client.submit([REQUEST]);
  line.client.drain();
  const idle = line.client.idle();
  line.answer({ type: "failed", failure: LOSS });
  await idle;
  assertEquals([line.client.status, refusal(line.client)], ["draining", "draining"]);
});

Deno.test("EngineClient reports every failure of an engine that was ready, and what follows", () => {
  const told: string[] = [];
  const options: Partial<EngineClientOptions> = {
    onFailure: ({ message }) => told.push(message),
    onReady: () => told.push("ready"),
    onProgress: () => told.push("progress"),
  };
  const line = Line.ready(options);
  line.answer({ type: "failed", failure: LOSS });
  line.replace();
  // Nobody looks at a bar any more.
  line.answer({ type: "progress", done: 1, total: 2 });
  line.answer({ type: "failed", failure: { kind: "gpu", message: "no adapter" } });
  line.replace();
  line.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals(told, ["ready", "lost", "no adapter", "ready"]);
});

Deno.test("EngineClient reports an engine that never was ready by `ready` alone", async () => {
  const failures: string[] = [];
  const line = new Line({ onFailure: ({ message }) => failures.push(message) });
  line.answer({ type: "failed", failure: LOSS });
  await assertRejects(() => line.client.ready, EngineStartError, "lost");
  assertEquals([failures, line.client.status, line.client.stats.losses], [[], "failed", 0]);
});
