import { assert, assertEquals, assertRejects } from "@std/assert";
import { STRATEGIES } from "../../src/diffusion/remasking/mod.ts";
import { Engine } from "../../src/library/engine.ts";
import type { GenerateOptions, Strategy } from "../../src/library/options.ts";
import { GENERATION_FIELDS, OPTION_NAMES } from "../../src/server/schema.ts";
import { PlainChatTemplate } from "../../src/text/chat_template.ts";
import { byteTokenizer } from "../server/support.ts";
import { ScriptedEngine } from "../support/scripted_engine.ts";

function engineOn(
  scripted: ScriptedEngine,
  { chat = null, close = () => {} }: { chat?: PlainChatTemplate | null; close?: () => void } = {},
): Engine {
  return new Engine({
    engine: scripted,
    tokenizer: byteTokenizer,
    chat,
    close: () => Promise.resolve(close()),
  });
}

Deno.test("Engine.blocks() gives blocks in order, then the end", async () => {
  const engine = engineOn(new ScriptedEngine());
  const events = await Array.fromAsync(engine.blocks("abc", { maxTokens: 6, seed: 5 }));
  assertEquals(events.slice(0, -1), [
    { type: "block", index: 0, text: "abca", tokens: [97, 98, 99, 97], steps: 4, ms: 1.5 },
    { type: "block", index: 1, text: "bc", tokens: [98, 99], steps: 2, ms: 1.5 },
  ]);
  const end = events.at(-1)!;
  assert(end.type === "end" && end.ms >= 0);
  assertEquals({ ...end, ms: 0 }, {
    type: "end",
    reason: "length",
    stop: null,
    seed: 5,
    promptTokens: 3,
    tokens: 6,
    blocks: 2,
    passes: 7,
    ms: 0,
  });
});

Deno.test("Engine.generate() gives the text up to a stop string", async () => {
  const engine = engineOn(new ScriptedEngine());
  const { text, tokenIds, reason, stop } = await engine.generate("abcdef", { stop: "ef" });
  assertEquals([text, tokenIds.length, reason, stop], ["abcd", 6, "stop", "ef"]);
});

Deno.test("Engine.generate() takes every option of the API, in camel case", async () => {
  const scripted = new ScriptedEngine();
  const options: Required<Omit<GenerateOptions, "signal" | "entropyBound">> = {
    maxTokens: 2,
    overflow: "slide",
    ignoreEos: true,
    minEntropy: 1.5,
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    seed: 9,
    stop: ["x", "y"],
    blockSize: 8,
    subBlockSize: 2,
    strategy: "low_confidence_dynamic",
    steps: 3,
    threshold: 0.8,
  };
  await engineOn(scripted).generate([97], options);
  assertEquals(scripted.submitted, [{
    prompt: [97],
    maxTokens: 2,
    blockSize: 8,
    subBlockSize: 2,
    strategy: { strategy: "low_confidence_dynamic", steps: 3, threshold: 0.8 },
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    seed: 9,
    choice: 0,
    stopTokens: [],
    minEntropy: 1.5,
    trace: false,
  }]);
  const names = [...Object.keys(options), "entropyBound", "model"].map((name) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  );
  assertEquals(names.sort(), [...Object.keys(GENERATION_FIELDS), ...OPTION_NAMES].sort());
});

Deno.test("Strategy names the strategies that there are", () => {
  const all: Record<Strategy, true> = {
    first_hitting: true,
    ancestral: true,
    sequential: true,
    random: true,
    low_confidence_static: true,
    low_confidence_dynamic: true,
    entropy_bounded: true,
  };
  assertEquals(Object.keys(all), STRATEGIES);
});

Deno.test("Engine refuses options that do not fit, by their names", async () => {
  const scripted = new ScriptedEngine({ model: { contextLength: 16 } });
  const engine = engineOn(scripted);
  const cases: [GenerateOptions, string][] = [
    [{ topP: 2 }, "topP must be a number above 0 and at most 1, got 2"],
    [{ maxTokens: 17 }, "maxTokens must be an integer from 1 to 16, got 17"],
    [{ maxTokens: 16 }, "3 prompt tokens + 16 maxTokens = 19"],
    [{ blockSize: 5 }, "blockSize must be one of"],
    [{ entropyBound: 1 }, "entropyBound cannot be given with"],
    // As from JavaScript, which checks no types.
    [{ heat: 1 } as GenerateOptions, "heat"],
    [{ seed: "1" as unknown as number }, "seed must be an integer"],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => engine.generate("abc", options), RangeError, message);
  }
  await assertRejects(() => engine.score("abc", { samples: 0 }), RangeError, "samples must be");
  await assertRejects(() => engine.score("abc", { blockSize: 5 }), RangeError, "blockSize must be");
  assertEquals([scripted.submitted, scripted.scored], [[], []]);
});

Deno.test("Engine.generate() answers a chat where there is a template", async () => {
  const scripted = new ScriptedEngine();
  const chat = [{ role: "user", content: "hi" }] as const;
  await assertRejects(() => engineOn(scripted).generate(chat), RangeError, "no chat template");
  const engine = engineOn(scripted, { chat: new PlainChatTemplate(byteTokenizer) });
  assertEquals((await engine.generate(chat, { maxTokens: 8 })).text, "user: hi");
  assertEquals(engine.model.hasChat, true);
});

Deno.test("Engine ends a text that is left or aborted", async () => {
  const scripted = new ScriptedEngine({
    beforeStep: (step) => step < 4 ? undefined : new Promise(() => {}),
  });
  const engine = engineOn(scripted);
  for await (const event of engine.blocks("abc", { seed: 1 })) {
    assertEquals(event.type, "block");
    break;
  }
  await scripted.idle;
  const abortion = new AbortController();
  const generated = engine.generate("abc", { signal: abortion.signal });
  abortion.abort(new Error("enough"));
  await assertRejects(() => generated, Error, "enough");
  await scripted.idle;
  assertEquals(scripted.cancelled, scripted.submitted.length);
});

Deno.test("Engine.score() gives the bound and what follows from it", async () => {
  const scripted = new ScriptedEngine();
  const score = await engineOn(scripted).score("abcd", { context: "x", samples: 2, seed: 3 });
  // The scripted engine finds every token as likely as not.
  assertEquals(score.tokens, 4);
  assert(Math.abs(score.nelbo - 4 * Math.LN2) < 1e-12);
  assert(Math.abs(score.perplexity - 2) < 1e-12);
  assertEquals(score.seed, 3);
  const { texts, samples, seed } = scripted.scored[0]!;
  assertEquals([texts, samples, seed], [[{ tokens: [120, 97, 98, 99, 100], given: 1 }], 2, 3]);
});

Deno.test("Engine.score() throws the signal's reason", async () => {
  const pending = Promise.withResolvers<null>();
  const scripted = new ScriptedEngine({
    scoring: () => ({ scores: pending.promise, cancel: () => pending.resolve(null) }),
  });
  const abortion = new AbortController();
  const score = engineOn(scripted).score("abc", { signal: abortion.signal });
  abortion.abort(new Error("enough"));
  await assertRejects(() => score, Error, "enough");
});

Deno.test("Engine tells of its model, and closes with its scope", async () => {
  let closed = 0;
  {
    await using engine = engineOn(new ScriptedEngine(), { close: () => void (closed += 1) });
    assertEquals(engine.model, {
      id: "test-copy",
      contextLength: 4096,
      vocabSize: 259,
      blockSizes: [1, 2, 4, 8, 16, 32],
      defaultBlockSize: 4,
      hasChat: false,
      adapter: "scripted",
    });
  }
  assertEquals(closed, 1);
});
