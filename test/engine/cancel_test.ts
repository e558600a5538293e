import { assert, assertEquals } from "@std/assert";
import { copyOf, copyRequest, tokensFrom } from "../support/copy_request.ts";
import { ScriptedLoop } from "../support/scripted_loop.ts";

const PROMPT = tokensFrom(65, 6);
const long = copyRequest(PROMPT, { maxTokens: 400 });

Deno.test("EngineLoop.cancel() of one that waits ends it at once", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 1 } });
  const first = engine.submit(copyRequest(PROMPT));
  const second = engine.submit(long);
  const third = engine.submit(copyRequest([1, 2, 3]));
  engine.clock.ms = 7;
  engine.loop.cancel(second.id);
  assertEquals(second.events, [{ type: "end", reason: "cancelled", passes: 0, queueMs: 7 }]);
  await Promise.all([first.ended, third.ended]);
  assertEquals([first.tokens, third.tokens], [copyOf(PROMPT, 8), copyOf([1, 2, 3], 8)]);
  engine.assertIdle();
});

Deno.test("EngineLoop.cancel() of one that runs frees its slot for the next burst", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 1 } });
  const first = engine.submit(long);
  const second = engine.submit(copyRequest([1, 2, 3]));
  engine.onEvent = (_, { type }) => type === "block" && engine.loop.cancel(first.id);
  await Promise.all([first.ended, second.ended]);
  assertEquals([first.end?.reason, first.blocks.length], ["cancelled", 1]);
  assertEquals(second.tokens, copyOf([1, 2, 3], 8));
  // The burst of the first block, the one that was under way, and two of the second sequence.
  assertEquals(engine.recorded.length, 4);
  engine.assertIdle();
});

Deno.test("EngineLoop.cancel() again, after the end, or of nobody does nothing", async () => {
  await using engine = new ScriptedLoop();
  const first = engine.submit(long);
  const second = engine.submit(copyRequest(PROMPT));
  engine.onEvent = ({ id }, { type }) => {
    if (id !== first.id || type !== "block") return;
    engine.loop.cancel(first.id);
    engine.loop.cancel(first.id);
  };
  await Promise.all([first.ended, second.ended]);
  engine.loop.cancel(first.id);
  engine.loop.cancel(second.id);
  engine.loop.cancel(99);
  assertEquals([first.end?.reason, second.end?.reason], ["cancelled", "length"]);
  engine.assertIdle();
});

// What was planned with a sequence that has gone must not reach the one that came in its place:
// with one burst under way and the next one recorded, both still name the slot.
for (const when of ["while its burst is read", "when its burst has landed"]) {
  Deno.test(`EngineLoop reuses the slot of a sequence cancelled ${when}`, async () => {
    const cancel = () => engine.loop.cancel(0);
    const beforeRead = (burst: number) => {
      if (burst === 1 && when === "while its burst is read") cancel();
    };
    await using engine = new ScriptedLoop({ limits: { slots: 1 }, beforeRead });
    engine.onEvent = ({ id, blocks }, { type }) => {
      if (id === 0 && type === "block" && blocks.length === 2) cancel();
    };
    const gone = engine.submit(long);
    const heirs = [1, 2, 3].map((i) => copyRequest(tokensFrom(i, 5), { maxTokens: 30 }));
    const sequences = heirs.map((each) => engine.submit(each));
    await Promise.all([gone, ...sequences].map(({ ended }) => ended));
    assertEquals(gone.tokens, copyOf(PROMPT, gone.tokens.length));
    assertEquals(sequences.map(({ tokens }) => tokens), heirs.map((e) => copyOf(e.prompt, 30)));
    engine.assertIdle();
  });
}

Deno.test("EngineLoop.cancel() stops a prompt half way in", async () => {
  const beforeRead = (burst: number) => {
    if (burst === 0) engine.loop.cancel(0);
  };
  const limits = { slots: 1, rows: 32, promptRows: 64 };
  await using engine = new ScriptedLoop({ limits, beforeRead });
  const [gone, next] = await engine.finish([
    copyRequest(tokensFrom(0, 1000)),
    copyRequest(tokensFrom(5, 100)),
  ]);
  assertEquals([gone?.end?.reason, gone?.blocks], ["cancelled", []]);
  assertEquals(next?.tokens, copyOf(tokensFrom(5, 100), 8));
  const prompts = engine.recorded.flat().flatMap((plan) => plan.prompts);
  const rows = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  assert(rows <= 2 * 64 + 100, `${rows} prompt rows`);
  engine.assertIdle();
});

Deno.test("EngineLoop frees what every kind of end held", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 3, pages: 16 } });
  const requests = [
    copyRequest(PROMPT),
    copyRequest([1, 257], { maxTokens: 100, stopTokens: [257] }),
    copyRequest([], { maxTokens: 400, blockSize: 32, minEntropy: 1 }),
    copyRequest(PROMPT, { maxTokens: 100, choice: 1 }),
    copyRequest(PROMPT, { maxTokens: 100, choice: 2 }),
  ];
  engine.onEvent = ({ id, blocks }) => {
    if (id % 5 >= 3 && blocks.length === 1) engine.loop.cancel(id);
  };
  const ends = new Set<string | undefined>();
  for (let round = 0; round < 20; round++) {
    const failures = round % 2;
    if (failures > 0) engine.denoiser.failNextStep();
    const sequences = await engine.finish(requests);
    for (const { end, error } of sequences) ends.add(end?.reason ?? error?.code);
    assertEquals(sequences.filter(({ error }) => error).length, failures);
    engine.assertIdle();
  }
  assertEquals([...ends].sort(), ["cancelled", "entropy", "eos", "internal_error", "length"]);
});
