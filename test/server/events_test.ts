import { assertEquals } from "@std/assert";
import { blocksEvents } from "../../src/server/events.ts";
import { Run } from "../../src/server/run.ts";
import { ScriptedEngine } from "../support/scripted_engine.ts";
import { byteTokenizer } from "./support.ts";

/** What its observer was told before each event of a run. */
async function toldBefore(engine: ScriptedEngine): Promise<[string, string[]][]> {
  const request = {
    prompt: [97, 98],
    maxTokens: 6,
    blockSize: 4,
    strategy: { strategy: "first_hitting" as const },
    temperature: 1,
    topP: 1,
    topK: 0,
    seed: 0,
    choice: 0,
    stopTokens: [],
    minEntropy: 0,
    trace: false,
  };
  const told: string[] = [];
  const run = new Run({
    id: "blk",
    model: { engine, tokenizer: byteTokenizer, chat: null },
    request,
    generation: engine.submit([request])[0]!,
    stop: [],
    resumeMs: 0,
    fingerprint: "bd",
    observer: {
      admitted: () => told.push("admitted"),
      prefilled: () => told.push("prefilled"),
      block: ({ index }) => told.push(`block ${index}`),
      ended: (reason) => told.push(`ended: ${reason}`),
    },
    nowMs: () => 0,
    submittedMs: 0,
  });
  const seen: [string, string[]][] = [];
  try {
    for await (const { event } of blocksEvents(run)) seen.push([event, told.splice(0)]);
  } catch {
    seen.push(["failed", told.splice(0)]);
  }
  return seen;
}

Deno.test("blocksEvents() tells the observer before it gives an event, the last one too", async () => {
  assertEquals(await toldBefore(new ScriptedEngine()), [
    ["start", []],
    ["block", ["admitted", "block 0"]],
    ["block", ["block 1"]],
    ["done", ["ended: length"]],
  ]);
});

Deno.test("blocksEvents() tells the observer of a failure before it throws it", async () => {
  const beforeStep = (step: number) => {
    if (step === 4) throw new Error("a failed pass");
  };
  assertEquals(await toldBefore(new ScriptedEngine({ beforeStep })), [
    ["start", []],
    ["block", ["admitted", "block 0"]],
    ["failed", ["ended: error"]],
  ]);
});
