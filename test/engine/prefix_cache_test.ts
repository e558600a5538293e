import { assert, assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import { resolve } from "@std/path";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { gpuTest } from "../support/gpu.ts";
import {
  assertIdle,
  cachedTokens,
  countPromptRows,
  essence,
  storedPages,
  textOf,
  withoutCache,
  withRoom,
} from "../support/prefix_cache.ts";

const FIXTURES = resolve(import.meta.dirname!, "../fixtures");
const PAGE = 32;

for (const blockSize of [4, 8, 16, 64]) {
  gpuTest(
    `prompts of ${blockSize}-blocks give the same with a cache, whatever they share`,
    (gpu) =>
      withRoom(async (directory) => {
        const text = textOf(300, 1);
        // Prompts in turn, and how many of their tokens the ones before have stored.
        const whole = blockSize === 64 ? 256 : 288;
        const prompts: [readonly number[], number][] = [
          [text, 0],
          [text, whole],
          [text.slice(0, 31), 0],
          [text.slice(0, 33), blockSize === 64 ? 0 : 32],
          [[...text.slice(0, 64), ...textOf(77, 2)], 64],
          [textOf(40, 3), 0],
          [text.slice(0, 128), 128],
          [text.slice(0, 291), whole],
          [[...text.slice(0, 100), 7, ...text.slice(101)], blockSize === 64 ? 64 : 96],
        ];
        const requests = prompts.map(([prompt], seed) =>
          requestOf(prompt, { blockSize, maxTokens: blockSize + 3, seed, trace: true })
        );
        const expected = await withoutCache(gpu, directory, requests);
        await using engine = await DeviceEngine.open(gpu, directory, { slots: 2 });
        for (const [i, request] of requests.entries()) {
          const [outcome] = await engine.generate([request]);
          assertEquals(essence(outcome!), essence(expected[i]!), `prompt ${i}`);
          assertEquals(cachedTokens(outcome!), prompts[i]![1], `prompt ${i}`);
        }
        const { hitTokens } = engine.denoiser.prefixCache;
        assertEquals(hitTokens, prompts.reduce((sum, [, cached]) => sum + cached, 0));
        assertIdle(engine);
      }),
  );
}

gpuTest(
  "a repeated prompt of 512 tokens is prefilled once",
  (gpu) =>
    withRoom(async (directory) => {
      await using engine = await DeviceEngine.open(gpu, directory, { slots: 4 });
      const counted = countPromptRows(engine.denoiser);
      const prompt = textOf(512, 1);
      await engine.generate([requestOf(prompt)]);
      assertEquals(counted.rows, 512);
      const [again] = await engine.generate([requestOf(prompt, { seed: 2 })]);
      assertEquals(counted.rows, 512);
      assertEquals(again!.events.slice(0, 2).map(({ type }) => type), ["admitted", "prefilled"]);
      assertEquals(cachedTokens(again!), 512);
      const four = [3, 4, 5, 6].map((seed) => requestOf(prompt, { seed }));
      await engine.generate(four);
      assertEquals(counted.rows, 512);
      assertEquals(engine.denoiser.prefixCache.queryTokens, 6 * 512);
    }),
);

gpuTest(
  "equal prompts that come together are the same as alone, and prefilled less often",
  (gpu) =>
    withRoom(async (directory) => {
      // Takes more passes than one.
      const prompt = textOf(1500, 4);
      const requests = Array.from({ length: 8 }, (_, i) =>
        requestOf(i % 4 === 3 ? prompt.slice(0, 200 + i) : prompt, {
          maxTokens: 9,
          blockSize: [4, 4, 8, 4][i % 4]!,
          seed: i,
          choice: i % 2,
          trace: i === 0,
        }));
      const expected = await withoutCache(gpu, directory, requests);
      await using engine = await DeviceEngine.open(gpu, directory, { slots: 8 });
      const counted = countPromptRows(engine.denoiser);
      const outcomes = await engine.generate(requests);
      assertEquals(outcomes.map(essence), expected.map(essence));
      const saved = outcomes.reduce((sum, outcome) =>
        sum + cachedTokens(outcome), 0);
      const all = requests.reduce((sum, { prompt, blockSize }) =>
        sum + Math.floor(prompt.length / blockSize) * blockSize, 0);
      assertEquals(counted.rows, all - saved);
      assertGreater(saved, 1500);
      assertEquals(engine.denoiser.prefixCache.hitTokens, saved);
      assertIdle(engine);
    }, { model_length: 2048 }),
);

gpuTest(
  "keys and values that are found are those that would be stored, bit for bit",
  async (gpu) => {
    const directory = resolve(FIXTURES, "bd3lm-small");
    const options = { blockSize: 16, maxTokens: 16 };
    const prompt = textOf(96, 5);
    await using cached = await DeviceEngine.open(gpu, directory, { slots: 1 });
    const [answer] = await cached.generate([
      requestOf(textOf(40, 5), { ...options, maxTokens: 60 }),
    ]);
    // What was generated belongs to the next prompt.
    const longer = [...textOf(40, 5), ...answer!.tokens].slice(0, 96);
    await using plain = await DeviceEngine.open(gpu, directory, { slots: 1, prefixCache: false });
    for (const text of [prompt, prompt, longer]) {
      const [found] = await cached.generate([requestOf(text, options)]);
      const [expected] = await plain.generate([requestOf(text, options)]);
      assertEquals(essence(found!), essence(expected!));
      const pages = await storedPages(gpu, cached.denoiser, 3);
      assertEquals(pages, await storedPages(gpu, plain.denoiser, 3));
      assertNotEquals(pages[0], pages[1]);
    }
    // The first page of the first prompt, all of it when it comes again, and all of the answer: 40
    // tokens and 60 are blocks up to 112, whose last is never committed.
    assertEquals(cached.denoiser.prefixCache.hitTokens, 32 + 96 + 96);
  },
);

gpuTest(
  "a sequence that is cancelled at any time leaves nothing that is wrong",
  (gpu) =>
    withRoom(async (directory) => {
      const prompt = textOf(500, 6);
      const request = requestOf(prompt, { maxTokens: 40, trace: true });
      const [expected] = await withoutCache(gpu, directory, [request]);
      await using engine = await DeviceEngine.open(gpu, directory, { slots: 3 });
      for (let turns = 0; turns < 12; turns++) {
        const doomed = engine.start(
          requestOf([...prompt, ...textOf(9, turns)], { maxTokens: 200 }),
        );
        for (let i = 0; i < turns; i++) await new Promise((done) => setTimeout(done));
        engine.loop.cancel(doomed.id);
        const [outcome] = await engine.generate([request]);
        assertEquals(essence(outcome!), essence(expected!), `after ${turns} turns`);
        await doomed.outcome;
      }
      assertIdle(engine);
    }),
);

gpuTest(
  "the answer is kept for the next turn, of a network that knows no noise level",
  async (gpu) => {
    for (const isTold of [false, true]) {
      await withRoom(async (directory) => {
        const options = { maxTokens: 90, blockSize: 8, trace: true };
        await using engine = await DeviceEngine.open(gpu, directory, { slots: 1 });
        const prompt = textOf(70, 7);
        const [answer] = await engine.generate([requestOf(prompt, options)]);
        const next = requestOf([...prompt, ...answer!.tokens, ...textOf(9, 8)], options);
        const [expected] = await withoutCache(gpu, directory, [next]);
        const [outcome] = await engine.generate([next]);
        assertEquals(essence(outcome!), essence(expected!));
        // 160 tokens, of which the last block, from 152 on, is not committed; 64 of them are prompt.
        assertEquals(cachedTokens(outcome!), isTold ? 64 : 128);
      }, { time_conditioning: isTold });
    }
  },
);

gpuTest(
  "texts are the same while the cache is too small for them",
  (gpu) =>
    withRoom(async (directory) => {
      // One sequence has all pages: 9 of 32 tokens.
      const requests = Array.from({ length: 24 }, (_, i) =>
        requestOf([...textOf(64, i % 5), ...textOf(8 + 30 * (i % 3), i)], {
          maxTokens: 12,
          seed: i,
        }));
      const expected = await withoutCache(gpu, directory, requests);
      await using engine = await DeviceEngine.open(gpu, directory, { slots: 1 });
      const together = await engine.generate(requests);
      assertEquals(together.map(essence), expected.map(essence));
      const { hitTokens, evictedPages, pages } = engine.denoiser.prefixCache;
      assertGreater(hitTokens, 0);
      assertGreater(evictedPages, 0);
      assert(pages <= engine.denoiser.limits.pages);
      assertIdle(engine);
    }, { model_length: 256 }),
);

// Windows of 32 tokens in two pages or three: positions come round all the time.
for (const blockSize of [4, 8, 16]) {
  gpuTest(
    `sequences of ${blockSize}-blocks that come round their pages are the same`,
    async (gpu) => {
      const directory = resolve(FIXTURES, "bd3lm-tiny");
      const requests = Array.from({ length: 24 }, (_, i) => {
        const prompt = [...textOf(30 + 7 * (i % 4), i % 2), ...textOf(i % 3 * 40, i % 5)];
        return requestOf(prompt, { maxTokens: [1, 20, 60][i % 3]!, blockSize, seed: i });
      });
      const expected = await withoutCache(gpu, directory, requests);
      await using engine = await DeviceEngine.open(gpu, directory, { slots: 4 });
      for (let first = 0; first < 24; first += 6) {
        const outcomes = await engine.generate(requests.slice(first, first + 6));
        assertEquals(outcomes.map(essence), expected.slice(first, first + 6).map(essence));
      }
      // One that does not come round leaves its page, and others have a copy to write over.
      const [short, ...long] = [1, 60, 60].map((maxTokens, seed) =>
        requestOf(textOf(40, 9), { maxTokens, blockSize, seed })
      );
      await engine.generate([short!]);
      const plain = await withoutCache(gpu, directory, long);
      for (const [i, request] of long.entries()) {
        const [outcome] = await engine.generate([request]);
        assertEquals(essence(outcome!), essence(plain[i]!));
        assertEquals(cachedTokens(outcome!), 32);
      }
      assertIdle(engine);
    },
  );
}

gpuTest(
  "a sequence that may slide finds the prompt of one that did",
  (gpu) =>
    withRoom(async (directory) => {
      const prompt = textOf(200, 9);
      const requests = [30, 400, 30, 400].map((maxTokens, seed) =>
        requestOf(prompt, { maxTokens, seed, blockSize: 8 })
      );
      const expected = await withoutCache(gpu, directory, requests);
      await using engine = await DeviceEngine.open(gpu, directory, { slots: 2 });
      const outcomes = [];
      for (const request of requests) outcomes.push(...await engine.generate([request]));
      assertEquals(outcomes.map(essence), expected.map(essence));
      assertEquals(outcomes.map(cachedTokens), [0, 192, 192, 192]);
      assertIdle(engine);
    }, { model_length: 256 }),
);

gpuTest("hundreds of requests that begin alike leave no page behind", async (gpu) => {
  const directory = resolve(FIXTURES, "bd3lm-small");
  await using engine = await DeviceEngine.open(gpu, directory, { slots: 4 });
  const started = Array.from({ length: 240 }, (_, i) =>
    engine.start(
      requestOf(textOf(100, i % 6).slice(0, 20 + i * 7 % 80), {
        maxTokens: 1 + i % 30,
        blockSize: [4, 8, 16][i % 3]!,
        seed: i,
      }),
    ));
  for (const [i, { id }] of started.entries()) if (i % 5 === 0) engine.loop.cancel(id);
  await Promise.all(started.map(({ outcome }) => outcome));
  assertIdle(engine);
  const { pages, hitTokens } = engine.denoiser.prefixCache;
  assert(pages <= engine.denoiser.limits.pages);
  assertGreater(hitTokens, 240 * PAGE / 4);
});

for (const [family, blockSize] of [["sdar-tiny", 4], ["fastdllm-tiny", 8]] as const) {
  gpuTest(`${family} gives the same with a cache, and finds prompt and answer`, async (gpu) => {
    const directory = resolve(FIXTURES, family);
    const options = { blockSize, maxTokens: 40, trace: true };
    const prompt = textOf(64, 3);
    await using engine = await DeviceEngine.open(gpu, directory, { slots: 2 });
    const [answer] = await engine.generate([requestOf(prompt, options)]);
    // Prompt and answer end at 104, in a block that is not committed: after 96 there is no page.
    const next = [...prompt, ...answer!.tokens, ...textOf(5, 4)];
    const requests = [prompt, next, next.slice(0, 96), next.slice(0, 90)].map((text, seed) =>
      requestOf(text, { ...options, maxTokens: 12, seed })
    );
    const expected = await withoutCache(gpu, directory, requests);
    const outcomes = [];
    for (const request of requests) outcomes.push(...await engine.generate([request]));
    assertEquals(outcomes.map(essence), expected.map(essence));
    // Where logits are shifted a prompt's last block is left for the sequence to commit.
    const ends = blockSize === 4 ? [64, 96, 96, 64] : [32, 96, 64, 64];
    assertEquals(outcomes.map(cachedTokens), ends);
    assertIdle(engine);
  });
}
