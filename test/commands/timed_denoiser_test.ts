import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TimedDenoiser } from "../../src/commands/timed_denoiser.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import type { PassPlan } from "../../src/model/denoiser.ts";
import { copyRequest } from "../support/copy_request.ts";
import { type DenoiserScript, ScriptedDenoiser } from "../support/scripted_denoiser.ts";

const PASS: PassPlan = { lanes: [0], prompts: [] };

/** A denoiser with a sequence in slot 0, and a clock that goes on by 1 ms when it is looked at. */
function open(script?: DenoiserScript) {
  const scripted = new ScriptedDenoiser(script);
  let clock = 0;
  const timed = new TimedDenoiser(scripted, () => clock++);
  timed.open(0, copyRequest([], { maxTokens: 100 }));
  return { scripted, timed };
}

Deno.test("TimedDenoiser does what the denoiser does that it has", async () => {
  const recorded: (readonly PassPlan[])[] = [];
  const { scripted, timed } = open({ onRecord: (passes) => recorded.push(passes) });
  assertEquals(timed.limits, scripted.limits);
  assertEquals(timed.freePages, scripted.freePages);
  const options = copyRequest([1, 2, 3, 4, 5]);
  assertEquals(timed.firstBlockStart(options), scripted.firstBlockStart(options));
  assertEquals(timed.pagesFor(options), scripted.pagesFor(options));
  const burst = timed.record([PASS, PASS]);
  assertEquals(recorded, [[PASS, PASS]]);
  burst.submit();
  const results = await burst.read();
  assertEquals(results.flat().map(({ slot, step }) => [slot, step]), [[0, 1], [0, 2]]);
  timed.close(0, null);
  assertEquals(scripted.openSlots, 0);
  assertThrows(() => timed.record([PASS]), Error, "a slot is free");
});

Deno.test("TimedDenoiser.take() has three spans a burst, by their ends", async () => {
  const { timed } = open();
  const first = timed.record([PASS, PASS]);
  first.submit();
  const second = timed.record([PASS]);
  await first.read();
  second.submit();
  await second.read();
  assertEquals(await timed.take(), [
    { name: "record", burst: 0, passes: 2, beginMs: 0, endMs: 1 },
    { name: "submit", burst: 0, passes: 2, beginMs: 2, endMs: 3 },
    { name: "record", burst: 1, passes: 1, beginMs: 4, endMs: 5 },
    { name: "read", burst: 0, passes: 2, beginMs: 6, endMs: 7 },
    { name: "submit", burst: 1, passes: 1, beginMs: 8, endMs: 9 },
    { name: "read", burst: 1, passes: 1, beginMs: 10, endMs: 11 },
  ]);
  assertEquals(await timed.take(), []);
  const third = timed.record([PASS]);
  third.submit();
  await third.read();
  assertEquals((await timed.take()).map(({ burst }) => burst), [0, 0, 0]);
});

Deno.test("TimedDenoiser.take() waits until every burst is read", async () => {
  const gate = Promise.withResolvers<void>();
  const { timed } = open({ beforeRead: (burst) => burst === 1 ? gate.promise : undefined });
  const bursts = [timed.record([PASS]), timed.record([PASS])];
  for (const each of bursts) each.submit();
  const order: string[] = [];
  const taken = timed.take().then((spans) => order.push(`taken ${spans.length}`));
  await bursts[0]!.read();
  const last = bursts[1]!.read().then(() => order.push("read"));
  gate.resolve();
  await Promise.all([taken, last]);
  assertEquals(order, ["read", "taken 6"]);
});

Deno.test("TimedDenoiser passes on that the device failed, and is idle then", async () => {
  const { scripted, timed } = open();
  const burst = timed.record([PASS]);
  burst.submit();
  scripted.loseDevice();
  await assertRejects(() => burst.read(), GpuError, "was lost");
  assertEquals((await timed.take()).map(({ name }) => name), ["record", "submit", "read"]);
});
