import { assert, assertEquals, assertRejects } from "@std/assert";
import { resolve } from "@std/path";
import { SequenceError } from "../../src/engine/request.ts";
import { Bd3lm } from "../../src/model/bd3lm.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { gpuTest } from "../support/gpu.ts";

const TINY = resolve(import.meta.dirname!, "../fixtures/bd3lm-tiny");

// A network that knows one token as NaN, say: whoever has it in sight gets no text any more.
for (const value of [NaN, Infinity, -Infinity]) {
  gpuTest(`a pass that meets ${value} fails its sequence, and no other`, async (gpu) => {
    // Fewer slots than sequences: the slots and pages of those that failed are used again.
    await using engine = await DeviceEngine.open(gpu, TINY, { slots: 2 });
    const prompts = Array.from({ length: 12 }, (_, i) => [i, i + 20, i + 40, 2 * i, 3 * i + 1]);
    const requests = prompts.map((prompt, seed) =>
      requestOf(prompt, { maxTokens: 11, seed, temperature: 2 })
    );
    const expected = await engine.generate(requests);
    // The first sequence writes the token in its first block, of three positions.
    const poison = expected[0]!.tokens[2]!;
    const isSafe = (i: number) => ![...prompts[i]!, ...expected[i]!.tokens].includes(poison);
    const safe = [...requests.keys()].filter(isSafe).slice(0, 4);
    assert(safe.length >= 2, `token ${poison} is everywhere`);

    assert(engine.network instanceof Bd3lm);
    const { parts: [part], width } = engine.network.weights.embedding;
    gpu.write(part!.weight, new Float32Array(width).fill(value), 4 * width * poison);
    const failing = [
      requests[0]!,
      // In a block of the prompt that is committed, and in the block that is denoised.
      requestOf([poison, 1, 2, 3, 4]),
      requestOf([1, 2, 3, 4, poison], { strategy: { strategy: "low_confidence_static" } }),
      requestOf([poison], { temperature: 0 }),
    ].map((request) => engine.start(request));
    const others = safe.map((i) => engine.start(requests[i]!));
    // All awaited from the start: which of them fails first is not known.
    const errors = await Promise.all(
      failing.map(({ outcome }) => assertRejects(() => outcome, SequenceError)),
    );
    assertEquals(errors.map(({ code }) => code), Array(4).fill("internal_error"));
    const found = await Promise.all(others.map(({ outcome }) => outcome));
    assertEquals(found.map(({ tokens }) => tokens), safe.map((i) => expected[i]!.tokens));
    const texts = failing.map(({ events }) =>
      events.flatMap((event) => event.type === "block" ? event.tokens : [])
    );
    assertEquals(texts, [expected[0]!.tokens.slice(0, 3), [], [], []]);
    assertEquals(engine.denoiser.freePages, engine.denoiser.limits.pages);
  });
}

gpuTest("nobody finds what a failed sequence has stored", async (gpu) => {
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 1 });
  const poison = 7;
  const prompt = Array.from({ length: 33 }, (_, i) => i === 20 ? poison : 30 + i % 20);
  const request = requestOf(prompt, { maxTokens: 3 });
  assert(engine.network instanceof Bd3lm);
  const { parts: [part], width } = engine.network.weights.embedding;
  const embedding = new Float32Array(await gpu.read(part!.weight));
  const place = width * poison;
  gpu.write(part!.weight, new Float32Array(width).fill(NaN), 4 * place);
  await assertRejects(() => engine.generate([request]), SequenceError);
  assertEquals(engine.denoiser.prefixCache.pages, 0);

  gpu.write(part!.weight, embedding.slice(place, place + width), 4 * place);
  const [first] = await engine.generate([request]);
  const [second] = await engine.generate([request]);
  assertEquals(engine.denoiser.prefixCache, {
    pages: 1,
    evictedPages: 0,
    queryTokens: 3 * 32,
    hitTokens: 32,
  });
  assertEquals(second!.tokens, first!.tokens);
});
