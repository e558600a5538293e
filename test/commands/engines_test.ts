import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { startEngine } from "../../src/commands/engines.ts";
import { type Generation, SequenceError } from "../../src/engine/request.ts";
import { deadline } from "../support/deadline.ts";
import { requestOf } from "../support/device_engine.ts";

const OPTIONS = {
  weights: null,
  tune: false,
  prefixCache: true,
  chatTemplate: null,
  contextLength: 256,
  memoryBytes: null,
  engines: 2,
  maxConcurrent: 3,
  maxQueue: 0,
};
/** "Once upon a time" with the model's BOS. */
const REQUEST = requestOf([4094, 422, 429, 258, 395], { maxTokens: 8 });

async function tokensOf({ events }: Generation): Promise<number[]> {
  const all = await Array.fromAsync(events);
  return all.flatMap((event) => event.type === "block" ? event.tokens : []);
}

Deno.test("startEngine() shares slots among engines that give the same tokens", async () => {
  const running = startEngine(SHIPPED_MODEL, OPTIONS);
  const { engine } = running;
  try {
    await engine.ready;
    assertEquals(engine.stats.slots, 3);
    // The other one starts now, and has room when it has its weights.
    const { size } = Deno.statSync(`${SHIPPED_MODEL.directory}/model.safetensors`);
    const both = async () => {
      while (engine.stats.memory.weights < 1.5 * size) await delay(10);
    };
    await deadline(both(), "the second engine");
    const [alone] = await Promise.all(engine.submit([REQUEST]).map(tokensOf));
    assert(alone!.length > 0);
    const together = engine.submit([REQUEST, REQUEST, REQUEST]);
    assertEquals(together.map(({ queuePosition }) => queuePosition), [0, 0, 0]);
    assertEquals(await Promise.all(together.map(tokensOf)), [alone, alone, alone]);
  } finally {
    await running.close();
  }
});

Deno.test("startEngine() does with one engine where memory holds no more", async () => {
  const reported = Promise.withResolvers<string>();
  const running = startEngine(SHIPPED_MODEL, {
    ...OPTIONS,
    memoryBytes: 48 * 2 ** 20,
    report: reported.resolve,
  });
  const { engine } = running;
  try {
    await engine.ready;
    const message = await deadline(reported.promise, "the second engine's end");
    assertMatch(message, /^tinystories-bd3lm: one engine less, 1 sequences fewer at a time: /);
    assertMatch(message, /expected at most 24 MiB/);
    assertEquals(engine.stats.slots, 2);
    const both = engine.submit([REQUEST, REQUEST]);
    const [first, second] = await Promise.all(both.map(tokensOf));
    assertEquals(first, second);
  } finally {
    await running.close();
  }
});

Deno.test("startEngine() can be closed while its other engines load", async () => {
  const progress: number[] = [];
  const running = startEngine(SHIPPED_MODEL, {
    ...OPTIONS,
    onProgress: (done) => progress.push(done),
    report: (message) => progress.push(NaN, message.length),
  });
  await running.engine.ready;
  const told = progress.length;
  assertEquals(running.engine.stats.slots, 3);
  await running.close();
  // The bar is of the first engine alone, and nothing failed.
  assertEquals(progress.length, told);
});

Deno.test("startEngine() serves what waits when a slot is free, and ends it when it is closed", async () => {
  const running = startEngine(SHIPPED_MODEL, {
    ...OPTIONS,
    engines: 1,
    maxConcurrent: 1,
    maxQueue: 2,
  });
  const { engine } = running;
  await engine.ready;
  const all = await deadline(
    Promise.all(engine.submit([REQUEST, REQUEST, REQUEST]).map(tokensOf)),
    "the end of what waited",
  );
  assert(all[0]!.length > 0);
  assertEquals(all, [all[0], all[0], all[0]]);
  const [, waiting] = engine.submit([REQUEST, REQUEST]);
  await running.close();
  const error = await assertRejects(() => tokensOf(waiting!), SequenceError);
  assertEquals([error.code, engine.status], ["draining", "draining"]);
});
