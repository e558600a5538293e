import { assert, assertEquals, assertRejects } from "@std/assert";
import { SequenceError } from "../../src/engine/request.ts";
import type { ScoreRequest, ScoreTexts } from "../../src/engine/score.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import { copyOf, copyRequest, tokensFrom } from "../support/copy_request.ts";
import { ScriptedLoop } from "../support/scripted_loop.ts";
import { halves, scriptedScore } from "../support/scripted_score.ts";

/** A request about `texts` texts of 10 tokens, of which one is given. */
function requestOf(texts: number, seed = 1): ScoreRequest {
  const text = { tokens: tokensFrom(65, 10), given: 1 };
  return { texts: Array(texts).fill(text), blockSize: 4, samples: 2, seed, byToken: false };
}

/** Scores texts by `pass`, which is called for every pass, and tells when it is over. */
function scoreBy(
  pass: (number: number, seed: number) => Promise<void> | void,
  onEnd: (seed: number) => void = () => {},
): ScoreTexts {
  return async function* (request) {
    try {
      for (const [number, { tokens }] of request.texts.entries()) {
        await pass(number, request.seed);
        yield tokens.length;
      }
      return halves(request);
    } finally {
      onEnd(request.seed);
    }
  };
}

Deno.test("EngineLoop scores texts when it has nothing else to do", async () => {
  await using engine = new ScriptedLoop({ score: scriptedScore });
  const request = requestOf(3);
  assertEquals(await engine.score(request).scores, halves(request));
  // Passes without a denoising row.
  assertEquals(engine.loads.reduce((sum, { commitPasses }) => sum + commitPasses, 0), 3);
});

Deno.test("EngineLoop scores one request after the other, in their order", async () => {
  const seen: number[] = [];
  await using engine = new ScriptedLoop({ score: scoreBy((_, seed) => void seen.push(seed)) });
  const requests = [1, 2, 3].map((seed) => requestOf(2, seed));
  await Promise.all(requests.map((each) => engine.score(each).scores));
  assertEquals(seen, [1, 1, 2, 2, 3, 3]);
});

Deno.test("EngineLoop runs one pass of a scoring between two bursts, and no more", async () => {
  const order: string[] = [];
  await using engine = new ScriptedLoop({
    score: scoreBy(() => void order.push("score")),
    beforeRead: () => void order.push("burst"),
  });
  engine.onEvent = ({ id }, { type }) => {
    if (id === 0 && type === "admitted") scores = engine.score(requestOf(5)).scores;
  };
  let scores: Promise<unknown> | undefined;
  const prompt = tokensFrom(65, 6);
  const [sequence] = await engine.finish([copyRequest(prompt, { maxTokens: 80 })]);
  assertEquals(sequence!.tokens, copyOf(prompt, 80));
  await scores;
  const first = order.indexOf("score");
  assertEquals(order.slice(first, first + 9), [
    ...["score", "burst", "score", "burst", "score", "burst", "score", "burst", "score"],
  ]);
});

Deno.test("EngineLoop gives the blocks of a burst before it scores on", async () => {
  const blocks: number[] = [];
  await using engine = new ScriptedLoop({
    score: scoreBy(() => void blocks.push(sequence.blocks.length)),
  });
  const sequence = engine.submit(copyRequest([1, 2], { maxTokens: 40 }));
  let scores: Promise<unknown> | undefined;
  engine.onEvent = (_, { type }) => {
    if (type === "admitted") scores = engine.score(requestOf(3)).scores;
  };
  await sequence.ended;
  await scores;
  // The first bursts have 4 steps: a block each.
  assertEquals(blocks.slice(0, 1), [1]);
});

Deno.test("EngineLoop sizes the passes of a scoring by how long they take", async () => {
  const asked: number[] = [];
  const score: ScoreTexts = async function* (request, { rowsOfPass }) {
    for (let pass = 0; pass < 30; pass++) {
      asked.push(rowsOfPass());
      // Half a millisecond a row.
      engine.clock.ms += asked.at(-1)! / 2;
      yield await Promise.resolve(asked.at(-1)!);
    }
    return halves(request);
  };
  await using engine = new ScriptedLoop({ score });
  await engine.score(requestOf(1)).scores;
  assert(asked[0]! <= 128, `the first pass has ${asked[0]} rows`);
  // 45 ms, as a burst.
  assertEquals(new Set(asked.slice(1)), new Set([90]));
});

Deno.test("EngineLoop does not count a scoring's time as the bursts'", async () => {
  const score = scoreBy(() => void (engine.clock.ms += 1000));
  // A pass takes 5 ms: a burst has nine.
  const beforeRead = () => void (engine.clock.ms += 5 * (engine.recorded.at(-2)?.length ?? 1));
  const engine = new ScriptedLoop({ score, beforeRead });
  await using _ = engine;
  const { scores } = engine.score(requestOf(20));
  await engine.finish([copyRequest(tokensFrom(65, 6), { maxTokens: 400 })]);
  await scores;
  const lengths = engine.recorded.slice(6, -2).map((passes) => passes.length);
  assert(lengths.length > 10 && lengths.every((each) => each >= 5), `${lengths}`);
});

Deno.test("EngineLoop.cancel() ends a scoring instead of its next pass", async () => {
  const passes: number[] = [];
  const ended: number[] = [];
  let onPass = () => {};
  const score = scoreBy((number) => {
    passes.push(number);
    onPass();
  }, (seed) => void ended.push(seed));
  await using engine = new ScriptedLoop({ score });
  const running = engine.score(requestOf(100, 1));
  const next = engine.score(requestOf(1, 2));
  onPass = () => {
    if (passes.length === 3) engine.loop.cancel(running.id);
  };
  assertEquals(await running.scores, null);
  assertEquals(passes, [0, 1, 2]);
  // It has given back what it held.
  assertEquals(ended, [1]);
  assertEquals(await next.scores, halves(requestOf(1, 2)));
});

Deno.test("EngineLoop.cancel() takes a scoring out of the line, and knows others not", async () => {
  const gate = Promise.withResolvers<void>();
  const seeds: number[] = [];
  const score = scoreBy((_, seed) => {
    seeds.push(seed);
    return gate.promise;
  });
  await using engine = new ScriptedLoop({ score });
  const [first, second, third] = [1, 2, 3].map((seed) => engine.score(requestOf(1, seed)));
  engine.loop.cancel(second!.id);
  engine.loop.cancel(12345);
  assertEquals(await second!.scores, null);
  gate.resolve();
  await Promise.all([first!.scores, third!.scores]);
  assertEquals(seeds, [1, 3]);
});

Deno.test("EngineLoop passes on what fails one scoring, and goes on", async () => {
  const failure = new SequenceError("internal_error", "no numbers");
  const score = scoreBy((_, seed) => {
    if (seed === 1) throw failure;
  });
  await using engine = new ScriptedLoop({ score });
  const failed = engine.score(requestOf(2, 1));
  const other = engine.score(requestOf(2, 2));
  assertEquals(await assertRejects(() => failed.scores, SequenceError), failure);
  assertEquals(await other.scores, halves(requestOf(2, 2)));
});

Deno.test("EngineLoop ends with a device that is lost in a scoring, after telling all", async () => {
  const score = scoreBy((number) => {
    if (number === 1) throw new GpuError("gone");
  });
  // Not to be closed: it ends with the device.
  const engine = new ScriptedLoop({ score });
  const scorings = [engine.score(requestOf(9)), engine.score(requestOf(1))];
  const sequence = engine.submit(copyRequest([1], { maxTokens: 4000 }));
  for (const { scores } of scorings) {
    assertEquals((await assertRejects(() => scores, SequenceError)).code, "device_lost");
  }
  await sequence.ended;
  assertEquals(sequence.error?.code, "device_lost");
  await assertRejects(() => engine.running, GpuError);
});
