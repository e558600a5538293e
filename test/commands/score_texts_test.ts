import { join } from "@std/path";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { scoreTexts } from "../../src/commands/score_texts.ts";
import { EngineLoop } from "../../src/engine/engine.ts";
import { SequenceError } from "../../src/engine/request.ts";
import type { ScoreRequest, TextScore } from "../../src/engine/score.ts";
import { nextTurn } from "../../src/engine/worker.ts";
import { boundsOf } from "../../src/evaluation/likelihood.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { GpuDenoiser } from "../../src/model/mod.ts";
import { requestOf } from "../support/device_engine.ts";
import { finish } from "../support/finish.ts";
import { integersOf, readFixture } from "../support/fixtures.ts";
import { loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";

const TINY = join(import.meta.dirname!, "../fixtures/bd3lm-tiny");
const TOKENS = integersOf(readFixture(join(TINY, "train.safetensors")), "x0");

const REQUEST: ScoreRequest = {
  texts: [
    { tokens: TOKENS.slice(0, 32), given: 1 },
    { tokens: TOKENS.slice(32, 45), given: 6 },
    { tokens: TOKENS.slice(0, 32), given: 1 },
  ],
  blockSize: 4,
  samples: 3,
  seed: 11,
  byToken: true,
};

/** An engine that scores on the device, and the scores that it was asked for. */
class ScoringEngine implements AsyncDisposable {
  readonly loop: EngineLoop;
  readonly denoiser: GpuDenoiser;
  readonly #running: Promise<void>;
  readonly #scores = new Map<number, PromiseWithResolvers<readonly TextScore[] | null>>();
  readonly #ends = new Map<number, PromiseWithResolvers<number[]>>();
  readonly #tokens = new Map<number, number[]>();
  #nextId = 0;

  constructor(denoiser: GpuDenoiser, scorer: Scorer) {
    this.denoiser = denoiser;
    this.loop = new EngineLoop(denoiser, {
      score: scoreTexts(scorer),
      listener: {
        onScored: (id, scores) => this.#scores.get(id)!.resolve(scores),
        onError: (id, error) => (this.#scores.get(id) ?? this.#ends.get(id))!.reject(error),
        onLoad: () => {},
        onEvent: (id, event) => {
          if (event.type === "block") this.#tokens.get(id)!.push(...event.tokens);
          if (event.type === "end") this.#ends.get(id)!.resolve(this.#tokens.get(id)!);
        },
      },
      now: () => performance.now(),
      nextTurn,
    });
    this.#running = this.loop.run();
  }

  score(request: ScoreRequest): { id: number; scores: Promise<readonly TextScore[] | null> } {
    const id = this.#nextId++;
    const scores = Promise.withResolvers<readonly TextScore[] | null>();
    this.#scores.set(id, scores);
    this.loop.score(id, request);
    return { id, scores: scores.promise };
  }

  generate(request: ReturnType<typeof requestOf>): Promise<number[]> {
    const id = this.#nextId++;
    const end = Promise.withResolvers<number[]>();
    this.#ends.set(id, end);
    this.#tokens.set(id, []);
    this.loop.submit(id, request);
    return end.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.loop.close();
    await this.#running;
  }
}

async function withEngine(
  gpu: Gpu,
  use: (engine: ScoringEngine, scorer: Scorer) => Promise<void>,
  { isBroken = false } = {},
): Promise<void> {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  if (isBroken) gpu.write(network.weights.normFinal, new Float32Array(64).fill(NaN));
  using denoiser = await GpuDenoiser.open(gpu, network, { slots: 4 });
  using scorer = await Scorer.open(gpu, network, { rows: 16 });
  await using engine = new ScoringEngine(denoiser, scorer);
  await use(engine, scorer);
}

gpuTest("scoreTexts() gives the bounds by counts, whatever else runs", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using other = await Scorer.open(gpu, network, { rows: 512 });
  const { texts, blockSize, ...drawing } = REQUEST;
  const asked = texts.map(({ tokens, given }) => ({ x0: tokens, given, blockSize }));
  const estimator = { type: "counts" } as const;
  const expected = await finish(boundsOf(other, asked, { ...drawing, estimator }));
  await withEngine(gpu, async (engine) => {
    assertEquals(await engine.score(REQUEST).scores, expected);
    const request = requestOf(TOKENS.slice(0, 9), { maxTokens: 20, seed: 3 });
    const alone = await engine.generate(request);
    const [scores, ...beside] = await Promise.all([
      engine.score(REQUEST).scores,
      ...Array.from({ length: 3 }, () => engine.generate(request)),
    ]);
    assertEquals(scores, expected);
    // Nor does it change what is generated.
    assertEquals(beside, [alone, alone, alone]);
  });
});

gpuTest("scoreTexts() gives its cache back when it is cancelled", async (gpu) => {
  await withEngine(gpu, async (engine) => {
    for (let round = 0; round < 20; round++) {
      const scoring = engine.score({ ...REQUEST, samples: 64 });
      const generated = engine.generate(requestOf([1, 2, 3], { maxTokens: 1 + round % 3 }));
      await generated;
      engine.loop.cancel(scoring.id);
      assertEquals(await scoring.scores, null);
    }
    const [first, , third] = (await engine.score(REQUEST).scores)!;
    assertEquals(first, third);
    assert(first!.error > 0);
  });
});

gpuTest("scoreTexts() fails a scoring without finite numbers, and no other", async (gpu) => {
  await withEngine(gpu, async (engine, scorer) => {
    const error = await assertRejects(() => engine.score(REQUEST).scores!, SequenceError);
    assertEquals(error.code, "internal_error");
    const { normFinal } = (scorer.network as ReturnType<typeof loadNetwork>).weights;
    gpu.write(normFinal, new Float32Array(64).fill(1));
    const [score] = (await engine.score({ ...REQUEST, blockSize: 1 }).scores)!;
    assertEquals([score!.isExact, score!.error], [true, 0]);
    assertAlmostEquals(score!.nelbo / 31, 5, 5);
  }, { isBroken: true });
});
