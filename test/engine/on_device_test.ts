import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { resolve } from "@std/path";
import type { StrategyOptions } from "../../src/diffusion/remasking/mod.ts";
import { type Reveal, SequenceError, type SequenceRequest } from "../../src/engine/request.ts";
import { forwardBlockCausal, loadNetwork } from "../reference/network.ts";
import {
  argmax,
  entropy,
  largest,
  logProbabilities,
  nucleus,
  probabilities,
} from "../reference/reveal.ts";
import { DeviceEngine, type Outcome, requestOf } from "../support/device_engine.ts";
import { gpuTest, noise } from "../support/gpu.ts";

const TINY = resolve(import.meta.dirname!, "../fixtures/bd3lm-tiny");
const MASK = 60;

const STRATEGIES: readonly StrategyOptions[] = [
  { strategy: "first_hitting" },
  { strategy: "ancestral", steps: 8 },
  { strategy: "sequential" },
  { strategy: "random", steps: 3 },
  { strategy: "low_confidence_static", steps: 3 },
  { strategy: "low_confidence_dynamic", threshold: 0.2 },
  { strategy: "entropy_bounded", entropy_bound: 3 },
];

/** Tokens below the mask, by seed. */
function promptOf(length: number, seed: number): number[] {
  return Array.from(noise(length, seed), (value) => Math.floor((value + 1) / 2 * 59.99));
}

/** Requests that differ in everything that may differ. */
function mixedRequests(count: number): SequenceRequest[] {
  return Array.from({ length: count }, (_, i) =>
    requestOf(promptOf(1 + i % 11, i), {
      maxTokens: 3 + i % 13,
      blockSize: [1, 2, 4, 8, 16][i % 5]!,
      strategy: STRATEGIES[i % STRATEGIES.length]!,
      temperature: [1, 0.7, 0][i % 3]!,
      topP: [1, 0.9][i % 2]!,
      topK: [0, 20][i % 2]!,
      seed: 1000 + i,
      choice: i % 2,
      trace: i % 7 === 0,
      ...(i % 4 < 2 && { isDetailed: true, tellsReveals: true }),
    }));
}

function revealsOf({ events }: Outcome): Reveal[] {
  return events.flatMap((each) => each.type === "block" ? each.reveals ?? [] : []);
}

gpuTest("a sequence is the same alone and among 32 others", async (gpu) => {
  const requests = mixedRequests(33);
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 33 });
  const together = await engine.generate(requests);
  for (const [i, request] of requests.entries()) {
    const [alone] = await engine.generate([request]);
    assertEquals(alone!.tokens, together[i]!.tokens, JSON.stringify(request));
    assertEquals(revealsOf(alone!), revealsOf(together[i]!), JSON.stringify(request));
    assertEquals(revealsOf(alone!).length, request.tellsReveals ? request.maxTokens : 0);
    assertEquals(alone!.tokens.length, request.maxTokens);
    assert(alone!.tokens.every((token) => token >= 0 && token < MASK));
  }
});

gpuTest("a sequence is the same whether it tells how its tokens fell or not", async (gpu) => {
  const requests = mixedRequests(14);
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 5 });
  const textsWith = async (more: Partial<SequenceRequest>) => {
    const outcomes = await engine.generate(requests.map((each) => ({ ...each, ...more })));
    return outcomes.map(({ tokens }) => tokens);
  };
  const plain = await textsWith({ isDetailed: false, tellsReveals: false });
  assertEquals(await textsWith({ isDetailed: true, tellsReveals: true }), plain);
});

gpuTest("a sequence is the same in any slot, and while others come and go", async (gpu) => {
  const requests = mixedRequests(24);
  await using few = await DeviceEngine.open(gpu, TINY, { slots: 3 });
  await using many = await DeviceEngine.open(gpu, TINY, { slots: 12 });
  const narrow = await few.generate(requests);
  const wide = await many.generate(requests.toReversed());
  assertEquals(narrow.map(({ tokens }) => tokens), wide.toReversed().map(({ tokens }) => tokens));
});

gpuTest("a sequence is the same after a warm-up, and among the passes of one", async (gpu) => {
  const requests = mixedRequests(6);
  await using cold = await DeviceEngine.open(gpu, TINY, { slots: 6 });
  await using warm = await DeviceEngine.open(gpu, TINY, { slots: 6 });
  const expected = await cold.generate(requests);
  warm.denoiser.warmUp();
  const first = await warm.generate(requests);
  warm.denoiser.warmUp();
  const second = await warm.generate(requests);
  for (const found of [first, second]) {
    assertEquals(found.map(({ tokens }) => tokens), expected.map(({ tokens }) => tokens));
  }
});

gpuTest("seed and choice decide what is drawn", async (gpu) => {
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 4 });
  const request = requestOf([3, 5], { maxTokens: 20, seed: 2 ** 52 + 1 });
  const [first, again, otherSeed, otherChoice] = await engine.generate([
    request,
    request,
    { ...request, seed: 2 ** 52 },
    { ...request, choice: 1 },
  ]);
  assertEquals(first!.tokens, again!.tokens);
  assertNotEquals(first!.tokens, otherSeed!.tokens);
  assertNotEquals(first!.tokens, otherChoice!.tokens);
});

// Three windows of 32 tokens and more, with prompts that end inside and at the end of a block, and
// prompts that are longer than the window themselves.
for (
  const [prompt, blockSize] of [[1, 4], [4, 4], [7, 8], [30, 2], [3, 32], [90, 4], [97, 8]] as const
) {
  gpuTest(
    `greedy text of ${blockSize}-blocks after ${prompt} tokens is the reference's over 3 windows`,
    async (gpu) => {
      await using engine = await DeviceEngine.open(gpu, TINY, { slots: 1 });
      const tokens = promptOf(prompt, prompt);
      const request = requestOf(tokens, {
        maxTokens: 4 * 32 - prompt,
        blockSize,
        // All masks of a block at once: what a block is follows from the clean blocks before it.
        strategy: { strategy: "sequential", steps: 1 },
        temperature: 0,
      });
      const [outcome] = await engine.generate([request]);
      const network = loadNetwork(TINY);
      const window = 32 / blockSize;
      const text = [...tokens];
      while (text.length < 4 * 32) {
        const end = (Math.floor(text.length / blockSize) + 1) * blockSize;
        const masked = [...text, ...Array(end - text.length).fill(MASK)];
        const { logits } = forwardBlockCausal(network, {
          tokens: masked,
          sigma: 0,
          window,
          blockSize,
        });
        for (let i = text.length; i < end; i++) {
          text.push(argmax(logits.subarray(i * 61, i * 61 + MASK)));
        }
      }
      assertEquals(outcome!.tokens, text.slice(prompt));
    },
  );
}

gpuTest(
  "a trace tells how probable the tokens of a step were, as the reference does",
  async (gpu) => {
    await using engine = await DeviceEngine.open(gpu, TINY, { slots: 1 });
    // The masks of the first block at once, after a prompt that ends inside it.
    const [prompt, blockSize] = [promptOf(3, 5), 8];
    const request = requestOf(prompt, {
      maxTokens: 5,
      blockSize,
      strategy: { strategy: "sequential", steps: 1 },
      temperature: 0,
      trace: true,
    });
    const [outcome] = await engine.generate([request]);
    const [step] = outcome!.events.filter(({ type }) => type === "step");
    assert(step?.type === "step");
    assertEquals(step.revealed, [0, 1, 2, 3, 4]);
    const { logits } = forwardBlockCausal(loadNetwork(TINY), {
      tokens: [...prompt, ...Array(5).fill(MASK)],
      sigma: 0,
      window: 4,
      blockSize,
    });
    step.confidence.forEach((confidence, i) => {
      const row = logits.subarray((3 + i) * 61, (3 + i) * 61 + MASK);
      const highest = Math.max(...row);
      const weight = row.reduce((sum, each) => sum + Math.exp(each - highest), 0);
      // The device's logits are f32.
      assertAlmostEquals(confidence, 1 / weight, 1e-4);
    });
  },
);

gpuTest(
  "blocks tell how probable tokens were when they fell, as the reference does",
  async (gpu) => {
    await using engine = await DeviceEngine.open(gpu, TINY, { slots: 1 });
    const [prompt, blockSize] = [promptOf(3, 5), 8];
    // One position after the other, from a distribution that is not the model's own.
    const [outcome] = await engine.generate([requestOf(prompt, {
      maxTokens: 13,
      blockSize,
      strategy: { strategy: "sequential" },
      temperature: 0.7,
      topP: 0.9,
      isDetailed: true,
      tellsReveals: true,
    })]);
    const network = loadNetwork(TINY);
    const text = [...prompt, ...outcome!.tokens];
    assertEquals(revealsOf(outcome!).map(({ step }) => step), [
      1,
      2,
      3,
      4,
      5,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
    ]);
    revealsOf(outcome!).forEach(({ confidence, details }, i) => {
      const position = prompt.length + i;
      const tokens = text.map((token, at) => at < position ? token : MASK);
      const blocks = tokens.slice(0, position < blockSize ? blockSize : 2 * blockSize);
      const { logits } = forwardBlockCausal(network, {
        tokens: blocks,
        sigma: 0,
        window: 4,
        blockSize,
      });
      const row = logits.subarray(position * 61, (position + 1) * 61);
      const logP = logProbabilities(row, MASK);
      assert(details);
      // The device's logits are f32.
      assertAlmostEquals(details.logprob, logP[text[position]!]!, 1e-3);
      assertEquals(
        details.top.map(({ token }) => token),
        largest(logP, 5).map(({ token }) => token),
      );
      details.top.forEach(({ token, logprob }) => assertAlmostEquals(logprob, logP[token]!, 1e-3));
      const drawn = probabilities(row, { temperature: 0.7, mask: MASK });
      assertAlmostEquals(details.entropy, entropy(drawn), 1e-3);
      assertAlmostEquals(confidence, nucleus(drawn, 0.9)[text[position]!]!, 1e-3);
    });
  },
);

gpuTest("everything is given back, whatever way sequences end", async (gpu) => {
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 4 });
  const free = engine.denoiser.freePages;
  // The first requests compile kernels and fill the pool of scratch memory.
  await engine.generate(mixedRequests(12));
  const { weights, cache, state, scratch } = gpu.bytes;
  const started = mixedRequests(16).map((request) => engine.start({ ...request, maxTokens: 2000 }));
  const toTheEnd = engine.generate(mixedRequests(8));
  for (const { id } of started) engine.loop.cancel(id);
  const ended = await Promise.all(started.map(({ outcome }) => outcome));
  assert(ended.every(({ events }) => {
    const last = events.at(-1);
    return last?.type === "end" && last.reason === "cancelled";
  }));
  await toTheEnd;
  assertEquals(engine.denoiser.freePages, free);
  assertEquals(engine.loop.load, { running: 0, waiting: 0 });
  assertEquals(gpu.bytes, { weights, cache, state, scratch });
});

gpuTest("a sequence that cannot be opened fails by itself, and holds nothing", async (gpu) => {
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 1 });
  for (const options of [{ stopTokens: [1, 2, 3, 4, 5] }, { blockSize: 8, subBlockSize: 3 }]) {
    await assertRejects(() => engine.start(requestOf([1], options)).outcome, SequenceError);
  }
  assertEquals(engine.denoiser.freePages, engine.denoiser.limits.pages);
  const [outcome] = await engine.generate([requestOf([1], { blockSize: 8, subBlockSize: 2 })]);
  assertEquals(outcome!.tokens.length, 8);
});

gpuTest("a thousand requests one after the other take no more memory than a few", async (gpu) => {
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 2 });
  const requests = mixedRequests(1000).map((each) => ({ ...each, maxTokens: 2, trace: false }));
  await engine.generate(requests.slice(0, 60));
  const before = gpu.bytes;
  for (const request of requests) await engine.generate([request]);
  assertEquals(gpu.bytes, before);
  assertEquals(engine.denoiser.freePages, engine.denoiser.limits.pages);
});
