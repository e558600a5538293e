import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EngineStartError } from "../../src/engine/client.ts";
import { SequenceError, type SequenceEvent } from "../../src/engine/request.ts";
import { BLOCK, END, Line, readAll, refusal, REQUEST } from "../support/engine_line.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

Deno.test("EngineClient is loading until the engine is ready", async () => {
  const progress: unknown[][] = [];
  const line = new Line({ onProgress: (...each) => progress.push(each) });
  assertEquals(line.client.status, "loading");
  assertEquals(refusal(line.client), "model_loading");
  assertThrows(() => line.client.model, TypeError, "still loading");
  line.answer({ type: "progress", stage: "loading", done: 1, total: 2 });
  line.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals(await line.client.ready, BYTE_MODEL);
  assertEquals([line.client.status, line.client.model], ["ready", BYTE_MODEL]);
  assertEquals([progress, line.sent], [[[1, 2, "loading"]], []]);
});

Deno.test("EngineClient rejects those who wait for an engine that does not start", async () => {
  const line = new Line();
  const failure = { kind: "checkpoint", message: "no weights", file: "a", code: "b" } as const;
  line.answer({ type: "failed", failure });
  const error = await assertRejects(() => line.client.ready, EngineStartError, "no weights");
  assertEquals(error.failure, failure);
  assertEquals([line.client.status, refusal(line.client)], ["failed", "device_lost"]);
});

Deno.test("EngineClient takes as many sequences as there are slots", () => {
  const line = Line.ready();
  const taken = line.client.submit([REQUEST, REQUEST]);
  assertEquals(taken.map(({ queuePosition }) => queuePosition), [0, 0]);
  assertEquals(refusal(line.client), "queue_full");
  assertEquals(line.sent.map((each) => "id" in each && each.id), [0, 1]);
  line.event(1, END);
  line.client.submit([REQUEST]);
  assertEquals(refusal(line.client), "queue_full");
});

Deno.test("EngineClient tells when it may have room, and when there is none any more", () => {
  let calls = 0;
  const line = new Line({ onRoom: () => calls++ });
  line.answer({ type: "ready", model: BYTE_MODEL });
  line.client.submit([REQUEST, REQUEST]);
  line.event(0, BLOCK);
  assertEquals(calls, 1);
  line.event(0, END);
  line.answer({ type: "error", id: 1, code: "internal_error", message: "no numbers" });
  assertEquals(calls, 3);
  line.client.fail({ kind: "gpu", message: "gone" });
  assertEquals(calls, 4);
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

Deno.test("EngineClient is idle at the last end", async () => {
  const line = Line.ready();
  const generation = line.client.submit([REQUEST])[0]!;
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
