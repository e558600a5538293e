import { assert, assertEquals, assertRejects } from "@std/assert";
import type { EngineLoad } from "../../src/engine/protocol.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import { copyOf, copyRequest, tokensFrom } from "../support/copy_request.ts";
import { ScriptedLoop } from "../support/scripted_loop.ts";

const PROMPT = tokensFrom(65, 6);

Deno.test("EngineLoop tells of blocks in order, then of the end", async () => {
  await using engine = new ScriptedLoop();
  const request = copyRequest(PROMPT, { maxTokens: 10 });
  const [sequence] = await engine.finish([request]);
  const block = { type: "block", steps: 4, nfe: 4, ms: 0, last: false };
  assertEquals<unknown>(sequence?.events, [
    { type: "admitted", queueMs: 0 },
    { type: "prefilled", ms: 0, cachedTokens: 0 },
    { ...block, index: 0, position: 6, tokens: [65, 66, 67, 68] },
    { ...block, index: 1, position: 10, tokens: [69, 70, 65, 66] },
    { ...block, index: 2, position: 14, tokens: [67, 68], last: true },
    // The prompt rides with the first step.
    { type: "end", reason: "length", passes: 12, queueMs: 0 },
  ]);
  engine.assertIdle();
});

Deno.test("EngineLoop begins with a shorter block where the prompt ends inside one", async () => {
  await using engine = new ScriptedLoop({ grid: "absolute" });
  const request = copyRequest(PROMPT, { maxTokens: 7, trace: true });
  const [sequence] = await engine.finish([request]);
  const shapes = sequence!.blocks.map(({ position, tokens, steps }) => [position, tokens, steps]);
  assertEquals(shapes, [
    [6, [65, 66], 2],
    [8, [67, 68, 69, 70], 4],
    [12, [65], 4],
  ]);
  assertEquals(sequence!.steps.map(({ tokens }) => tokens.length), [2, 2, 4, 4, 4, 4, 4, 4, 4, 4]);
});

Deno.test("EngineLoop cuts at the stop token and ends", async () => {
  await using engine = new ScriptedLoop();
  const request = copyRequest([65, 66, 67, 68, 69, 257], { maxTokens: 100, stopTokens: [257] });
  const [sequence] = await engine.finish([request]);
  assertEquals(sequence?.blocks.map(({ tokens }) => tokens), [[65, 66, 67, 68], [69, 257]]);
  assertEquals(sequence?.blocks.map(({ last }) => last), [false, true]);
  assertEquals(sequence?.end?.reason, "eos");
  engine.assertIdle();
});

Deno.test("EngineLoop ends what repeats itself", async () => {
  await using engine = new ScriptedLoop();
  const options = { maxTokens: 4000, blockSize: 32, minEntropy: 0.1 };
  const [sequence] = await engine.finish([copyRequest([], options)]);
  assertEquals([sequence?.tokens.length, sequence?.end?.reason], [256, "entropy"]);
  assertEquals(sequence?.blocks.at(-1)?.last, true);
  engine.assertIdle();
});

for (
  const { strategy, counts } of [
    { strategy: { strategy: "first_hitting" }, counts: [1, 1, 1, 1, 1, 1, 1, 1] },
    { strategy: { strategy: "ancestral", steps: 3 }, counts: [3, 3, 2] },
    { strategy: { strategy: "sequential", steps: 1 }, counts: [8] },
    { strategy: { strategy: "low_confidence_dynamic", threshold: 1 }, counts: [4, 2, 1, 1] },
    { strategy: { strategy: "entropy_bounded", entropy_bound: 1, steps: 1 }, counts: [8] },
  ] as const
) {
  Deno.test(`EngineLoop traces the steps of ${JSON.stringify(strategy)}`, async () => {
    await using engine = new ScriptedLoop();
    const request = copyRequest(PROMPT, { maxTokens: 16, blockSize: 8, strategy, trace: true });
    const [sequence] = await engine.finish([request]);
    const { steps, blocks } = sequence!;
    assertEquals(steps.map(({ revealed }) => revealed.length), [...counts, ...counts]);
    for (const block of blocks) {
      let before: readonly (number | null)[] = Array(8).fill(null);
      const own = steps.filter((step) => step.block === block.index);
      assertEquals(own.map(({ step }) => step), counts.map((_, i) => i + 1));
      for (const { tokens, revealed, confidence } of own) {
        const changed = tokens.flatMap((token, i) => token === before[i] ? [] : [i]);
        assertEquals(revealed, changed);
        assertEquals(confidence, changed.map((i) => (i + 1) / 8));
        assert(changed.every((i) => before[i] === null), "a position that was known has changed");
        before = tokens;
      }
      assertEquals(before, block.tokens);
    }
    assertEquals(sequence?.tokens, copyOf(PROMPT, 16));
  });
}

Deno.test("EngineLoop sends the steps of a block before it, and after the block before", async () => {
  await using engine = new ScriptedLoop();
  const request = copyRequest(PROMPT, { trace: true });
  const [sequence] = await engine.finish([request]);
  const order = sequence?.events.map((event) => event.type === "step" ? event.block : event.type);
  const expected = ["admitted", "prefilled", 0, 0, 0, 0, "block", 1, 1, 1, 1, "block", "end"];
  assertEquals(order, expected);
});

Deno.test("EngineLoop reads every step while somebody traces, not one by one otherwise", async () => {
  await using engine = new ScriptedLoop();
  await engine.finish([copyRequest(PROMPT), copyRequest(PROMPT, { trace: true })]);
  assertEquals(engine.recorded.map((passes) => passes.length), Array(8).fill(1));
  await engine.finish([copyRequest(PROMPT)]);
  assertEquals(engine.recorded.slice(8).map((passes) => passes.length), [4, 4]);
});

Deno.test("EngineLoop makes bursts as long as passes are short", async () => {
  const lengths = async (passMs: number) => {
    const beforeRead = (burst: number) => {
      engine.clock.ms += passMs * engine.recorded[burst]!.length;
    };
    await using engine = new ScriptedLoop({ beforeRead });
    await engine.finish([copyRequest(PROMPT, { maxTokens: 400 })]);
    return engine.recorded.map((passes) => passes.length);
  };
  // 45 ms of them. The first two are planned before anything is measured.
  assertEquals((await lengths(5)).slice(0, 5), [4, 4, 9, 9, 9]);
  assertEquals((await lengths(100)).slice(0, 5), [4, 4, 1, 1, 1]);
  assertEquals((await lengths(0.01)).slice(0, 5), [4, 4, 32, 32, 32]);
});

Deno.test("EngineLoop takes as many prompt rows into a burst as time allows, but one block", async () => {
  const rows = async (rowMs: number, blockSize: number) => {
    const rowsOf = (burst: number) =>
      engine.recorded[burst]!.flatMap(({ prompts }) => prompts)
        .reduce((sum, { tokens }) => sum + tokens.length, 0);
    const beforeRead = (burst: number) => void (engine.clock.ms += rowMs * rowsOf(burst));
    await using engine = new ScriptedLoop({ grid: "absolute", beforeRead });
    await engine.finish([copyRequest(tokensFrom(1, 600), { maxTokens: 4, blockSize })]);
    return engine.recorded.map((_, burst) => rowsOf(burst));
  };
  // Two bursts are planned before anything is measured; 45 ms are 45 rows, in whole blocks of 4.
  assertEquals((await rows(1, 4)).slice(0, 4), [128, 128, 44, 44]);
  assertEquals((await rows(10, 16)).slice(0, 4), [128, 128, 16, 16]);
});

Deno.test("EngineLoop measures time to a block, and in the queue", async () => {
  const beforeRead = () => void (engine.clock.ms += 10);
  await using engine = new ScriptedLoop({ limits: { slots: 1 }, beforeRead });
  const request = copyRequest(PROMPT, { maxTokens: 8, trace: true });
  const [first, second] = await engine.finish([request, request]);
  assertEquals(first?.blocks.map(({ ms }) => ms), [40, 40]);
  assertEquals(first?.end?.queueMs, 0);
  assertEquals(second?.end?.queueMs, 80);
});

Deno.test("EngineLoop finishes 200 sequences in 4 slots, each with its own text", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 4 } });
  const requests = Array.from({ length: 200 }, (_, i) =>
    copyRequest(tokensFrom(i, i % 13), {
      maxTokens: 1 + i % 23,
      blockSize: [1, 2, 4, 8][i % 4]!,
      seed: i,
      trace: i % 50 === 0,
    }));
  const sequences = await engine.finish(requests);
  for (const [i, { tokens, end }] of sequences.entries()) {
    assertEquals(tokens, copyOf(requests[i]!.prompt, requests[i]!.maxTokens));
    assertEquals(end?.reason, "length");
  }
  engine.assertIdle();
});

Deno.test("EngineLoop sleeps when there is nothing to do, and wakes for more", async () => {
  await using engine = new ScriptedLoop();
  for (let round = 0; round < 3; round++) {
    const [sequence] = await engine.finish([copyRequest(PROMPT)]);
    assertEquals(sequence?.tokens, copyOf(PROMPT, 8));
    engine.assertIdle();
  }
  // Two bursts of four passes a round: none was planned in vain.
  assertEquals(engine.recorded.length, 6);
});

Deno.test("EngineLoop ends on close", async () => {
  const engine = new ScriptedLoop();
  engine.loop.close();
  await engine.running;
});

Deno.test("EngineLoop ends on close in the midst of work", async () => {
  const engine = new ScriptedLoop();
  engine.onEvent = (_, { type }) => type === "block" && engine.loop.close();
  const sequence = engine.submit(copyRequest(PROMPT, { maxTokens: 400 }));
  await engine.running;
  // The burst of the first block, and the one that was under way.
  assertEquals(sequence.blocks.length, 2);
});

Deno.test("EngineLoop ends the sequence that a failed pass was for, and nothing else", async () => {
  await using engine = new ScriptedLoop();
  const requests = [0, 1, 2].map((i) => copyRequest(tokensFrom(i, 5), { maxTokens: 40 }));
  let blocks = 0;
  engine.onEvent = (_, { type }) => {
    if (type === "block" && ++blocks === 5) engine.denoiser.failNextStep();
  };
  const sequences = await engine.finish(requests);
  const failed = sequences.filter(({ error }) => error);
  assertEquals(failed.map(({ error }) => error?.code), ["internal_error"]);
  assert(failed[0]!.blocks.length < 10, "blocks come after the failure");
  for (const [i, { tokens, error }] of sequences.entries()) {
    if (!error) assertEquals(tokens, copyOf(requests[i]!.prompt, 40));
  }
  engine.assertIdle();
});

Deno.test("EngineLoop uses the slot of a failed sequence again", async () => {
  const remains: unknown[] = [];
  const onClose = (_: number, each: unknown) => remains.push(each);
  await using engine = new ScriptedLoop({ limits: { slots: 1 }, onClose });
  engine.denoiser.failNextStep();
  const [failed, next] = await engine.finish([copyRequest(PROMPT), copyRequest([1, 2])]);
  assertEquals([failed?.error?.code, failed?.blocks, failed?.end], [
    "internal_error",
    [],
    undefined,
  ]);
  assertEquals(next?.tokens, copyOf([1, 2], 8));
  // Nothing of the failed one; of the other a block, as its last one is not committed.
  assertEquals(remains, [null, { tokens: [1, 2, ...copyOf([1, 2], 4)], reach: 10 }]);
  engine.assertIdle();
});

Deno.test("EngineLoop fails everybody when the device is lost, and ends", async () => {
  const engine = new ScriptedLoop({ limits: { slots: 2 } });
  const sequences = Array.from(
    { length: 5 },
    () => engine.submit(copyRequest(PROMPT, { maxTokens: 400 })),
  );
  engine.onEvent = ({ blocks }) => blocks.length === 3 && engine.denoiser.loseDevice();
  await assertRejects(() => engine.running, GpuError, "The device was lost");
  assertEquals(sequences.map(({ error }) => error?.code), Array(5).fill("device_lost"));
  assertEquals(sequences.map(({ end }) => end), Array(5).fill(undefined));
  engine.assertIdle();
});

Deno.test("EngineLoop ends a sequence that the denoiser does not take, and nothing else", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 2 }, maxPositions: 100 });
  const short = copyRequest(PROMPT);
  const long = copyRequest(PROMPT, { maxTokens: 100 });
  const sequences = await engine.finish([short, long, long, short, long, short]);
  const taken = sequences.filter((_, i) => [0, 3, 5].includes(i));
  const refused = sequences.filter(({ error }) => error);
  assertEquals(refused.map(({ id, error }) => [id, error?.code, error?.message]), [
    [1, "internal_error", "Cannot admit the sequence"],
    [2, "internal_error", "Cannot admit the sequence"],
    [4, "internal_error", "Cannot admit the sequence"],
  ]);
  assertEquals(taken.map(({ tokens }) => tokens), Array(3).fill(copyOf(PROMPT, 8)));
  engine.assertIdle();
});

Deno.test("EngineLoop that ends by a bug tells everybody to try again", async () => {
  const beforeRead = () => {
    throw new TypeError("a bug");
  };
  const engine = new ScriptedLoop({ limits: { slots: 1 }, beforeRead });
  const sequences = await engine.finish([copyRequest(PROMPT), copyRequest(PROMPT)]);
  await assertRejects(() => engine.running, TypeError, "a bug");
  assertEquals(sequences.map(({ error }) => error?.code), ["device_lost", "device_lost"]);
  engine.assertIdle();
});

Deno.test("EngineLoop tells what it holds before anybody hears of an end", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 1, pages: 20 } });
  const atEnd: (EngineLoad | undefined)[] = [];
  engine.onEvent = (_, event) => {
    if (event.type === "end") atEnd.push(engine.loads.at(-1));
  };
  assertEquals([engine.loads[0]?.usedPages, engine.loads[0]?.freePages], [0, 20]);
  await engine.finish([copyRequest(PROMPT), copyRequest(tokensFrom(0, 600), { maxTokens: 4 })]);
  const pages = atEnd.map((load) => [load?.usedPages, load?.freePages]);
  assertEquals(pages, [[0, 20], [0, 20]]);
});

Deno.test("EngineLoop counts passes by whether a block was denoised in them", async () => {
  await using engine = new ScriptedLoop({ limits: { slots: 1, rows: 32 } });
  // 100 prompt tokens in passes of at most 32 rows, the last of which have room for a block, too.
  await engine.finish([copyRequest(tokensFrom(0, 100), { maxTokens: 4 })]);
  const recorded = engine.recorded.flat();
  const denoising = recorded.filter(({ lanes }) => lanes.length > 0).length;
  const sum = (of: (load: EngineLoad) => number) =>
    engine.loads.reduce((total, each) => total + of(each), 0);
  assertEquals(sum(({ denoisePasses }) => denoisePasses), denoising);
  assertEquals(sum(({ commitPasses }) => commitPasses), recorded.length - denoising);
  assert(recorded.length > denoising, "there was no pass of the prompt alone");
});
