import { assert, assertEquals } from "@std/assert";
import { StrategyOptions } from "../../src/diffusion/remasking/mod.ts";
import { uniformAt } from "../../src/diffusion/random.ts";
import type { SequenceRequest } from "../../src/engine/request.ts";
import { copyOf, copyRequest, tokensFrom } from "../support/copy_request.ts";
import { type Followed, ScriptedLoop } from "../support/scripted_loop.ts";

// Random requests, steps, cancels and failures: whatever happens, every sequence ends with the
// tokens that it would have alone, and nothing stays taken. The scripted denoiser checks the limits.

type Draw = (below: number) => number;

/** Integers of a stream of its own for every seed. */
function drawsOf(seed: number): Draw {
  let position = 0;
  return (below) => {
    const at = { choice: 0, stream: "token", position: position++, step: 0 } as const;
    return Math.floor(uniformAt(seed, at) * below);
  };
}

const STRATEGIES = [
  { strategy: "first_hitting" },
  { strategy: "ancestral" },
  { strategy: "sequential", steps: 2 },
  { strategy: "low_confidence_static", steps: 1024 },
  { strategy: "low_confidence_dynamic" },
  { strategy: "entropy_bounded", steps: 3 },
].map((each) => StrategyOptions.parse(each));

/** Prompt tokens are below 1000, the stop token is 1000. */
function drawRequest(draw: Draw): SequenceRequest {
  const length = draw(5) === 0 ? draw(200) : draw(12);
  const prompt = tokensFrom(draw(500), length);
  if (draw(4) === 0 && length > 0) prompt[draw(length)] = 1000;
  return copyRequest(prompt, {
    maxTokens: 1 + draw(draw(4) === 0 ? 120 : 20),
    blockSize: 2 ** draw(5),
    strategy: STRATEGIES[draw(STRATEGIES.length)]!,
    seed: draw(2 ** 20),
    stopTokens: draw(2) === 0 ? [1000] : [],
    trace: draw(8) === 0,
  });
}

/** What the request gives by itself. Source: the contract, sections 4.4 and 13. */
function answerTo({ prompt, maxTokens, stopTokens }: SequenceRequest) {
  const tokens = copyOf(prompt, maxTokens);
  const stop = tokens.findIndex((token) => stopTokens.includes(token));
  return stop < 0
    ? { tokens, reason: "length" }
    : { tokens: tokens.slice(0, stop + 1), reason: "eos" };
}

function checkAnswer(sequence: Followed, request: SequenceRequest): void {
  const { tokens, end, error, blocks, steps } = sequence;
  if (error && error.code !== "internal_error") throw error.cause;
  const answer = answerTo(request);
  if (error || end?.reason === "cancelled") {
    assertEquals(tokens, answer.tokens.slice(0, tokens.length));
  } else {
    assertEquals([tokens, end?.reason], [answer.tokens, answer.reason]);
    const sum = blocks.reduce((total, each) => total + each.steps, 0);
    if (request.trace) assertEquals(steps.length, sum);
    assert(sum <= (end?.passes ?? 0), "there are fewer passes than steps");
  }
  let position = request.prompt.length;
  for (const [i, block] of blocks.entries()) {
    assertEquals([block.index, block.position], [i, position]);
    position += block.tokens.length;
  }
}

for (let seed = 0; seed < 40; seed++) {
  Deno.test(`EngineLoop gives everybody their own tokens, whatever happens (${seed})`, async () => {
    const draw = drawsOf(seed);
    // Every step fills at least what the schedule wants, and as much more as it likes.
    const countRevealed = (masked: number, quota: number) => quota + draw(masked - quota + 1);
    await using engine = new ScriptedLoop({
      grid: seed % 2 === 0 ? "prompt" : "absolute",
      limits: {
        slots: 1 + draw(6),
        pages: 12 + draw(30),
        rows: 32 + draw(100),
        passes: 1 + draw(8),
        promptRows: 16 + draw(100),
      },
      ...(seed % 3 === 0 ? {} : { countRevealed }),
      // Bursts of all lengths, and cancels while one is under way and the next one is recorded.
      beforeRead: () => {
        engine.clock.ms += draw(60);
        if (draw(6) === 0) engine.loop.cancel(draw(requests.length));
        if (draw(12) === 0) engine.denoiser.failNextStep();
      },
    });
    const requests: SequenceRequest[] = [];
    const sequences: Followed[] = [];
    const submit = () => {
      const request = drawRequest(draw);
      requests.push(request);
      sequences.push(engine.submit(request));
    };
    // Some come at once, the others while those run.
    engine.onEvent = () => {
      if (sequences.length < 60 && draw(5) === 0) submit();
      if (draw(40) === 0) engine.loop.cancel(draw(requests.length));
    };
    while (sequences.length < 30) submit();
    // Grows while it is read.
    for (const sequence of sequences) await sequence.ended;
    for (const [i, sequence] of sequences.entries()) checkAnswer(sequence, requests[i]!);
    engine.assertIdle();
  });
}
