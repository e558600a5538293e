import { assertEquals, assertRejects } from "@std/assert";
import { type EngineClientOptions, EngineStartError } from "../../src/engine/client.ts";
import type { EngineLoad, StartFailure } from "../../src/engine/protocol.ts";
import { SequenceError } from "../../src/engine/request.ts";
import { BLOCK, END, Line, readAll, refusal, REQUEST } from "../support/engine_line.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

const LOSS: StartFailure = { kind: "gpu", message: "lost" };
const LOAD: EngineLoad = {
  usedPages: 3,
  freePages: 4,
  denoisePasses: 5,
  commitPasses: 6,
  prefixCache: { pages: 10, evictedPages: 11, queryTokens: 12, hitTokens: 13 },
  memory: { weights: 7, cache: 8, scratch: 9 },
};

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

Deno.test("EngineClient holds nothing while the device is lost, and goes on counting", () => {
  const line = Line.ready();
  line.answer({ type: "load", load: LOAD });
  line.answer({ type: "failed", failure: LOSS });
  const { running, usedPages, freePages, memory, denoisePasses, prefixCache } = line.client.stats;
  assertEquals([running, usedPages, freePages, denoisePasses], [0, 0, 0, 5]);
  assertEquals(memory, { weights: 0, cache: 0, scratch: 0 });
  assertEquals(prefixCache, { pages: 0, evictedPages: 11, queryTokens: 12, hitTokens: 13 });
  line.replace();
  line.answer({ type: "load", load: LOAD });
  const { usedPages: used, commitPasses, prefixCache: both } = line.client.stats;
  assertEquals([used, commitPasses], [3, 12]);
  assertEquals(both, { pages: 10, evictedPages: 22, queryTokens: 24, hitTokens: 26 });
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
  line.answer({ type: "progress", stage: "loading", done: 1, total: 2 });
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
