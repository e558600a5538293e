import { assert, assertEquals, assertMatch } from "@std/assert";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { startEngine } from "../../src/commands/engines.ts";
import type { Generation } from "../../src/engine/request.ts";
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
    while (engine.stats.memory.weights < 1.5 * size) {
      await new Promise((done) => setTimeout(done, 10));
    }
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
  const messages: string[] = [];
  const { error } = console;
  console.error = (text: string) => messages.push(text);
  const running = startEngine(SHIPPED_MODEL, { ...OPTIONS, memoryBytes: 48 * 2 ** 20 });
  try {
    await running.engine.ready;
    while (messages.length === 0) await new Promise((done) => setTimeout(done, 10));
    assertMatch(messages[0]!, /^tinystories-bd3lm: one engine less: .*expected at most 24 MiB/);
    const both = running.engine.submit([REQUEST, REQUEST]);
    assertEquals(both.map(({ queuePosition }) => queuePosition), [0, 0]);
    const [first, second] = await Promise.all(both.map(tokensOf));
    assertEquals(first, second);
  } finally {
    console.error = error;
    await running.close();
  }
});
