import { assertEquals, assertRejects } from "@std/assert";
import { EnginePool } from "../../src/engine/pool.ts";
import { END, Line, readAll, refusal, REQUEST } from "../support/engine_line.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

/** Sequences that an engine has been given, by their ids. */
function idsOf({ sent }: Line): number[] {
  return sent.flatMap((each) => each.type === "submit" ? [each.id] : []);
}

function poolOf(first: Line, ...others: Line[]): EnginePool {
  const pool = new EnginePool(first.client);
  for (const { client } of others) pool.add(client);
  return pool;
}

Deno.test("EnginePool is ready with its first engine and gives the others nothing before", async () => {
  const [first, second] = [new Line(), new Line()];
  const pool = poolOf(first, second);
  assertEquals([pool.status, refusal(pool)], ["loading", "model_loading"]);
  first.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals([await pool.ready, pool.model, pool.status], [BYTE_MODEL, BYTE_MODEL, "ready"]);
  pool.submit([REQUEST, REQUEST, REQUEST]);
  assertEquals([idsOf(first), idsOf(second)], [[0, 1, 2], []]);
  assertEquals(refusal(pool), "queue_full");
});

Deno.test("EnginePool gives a sequence to the engine with the most free slots", () => {
  const [first, second] = [Line.ready({ maxConcurrent: 3 }), Line.ready({ maxConcurrent: 2 })];
  const pool = poolOf(first, second);
  pool.submit([REQUEST]);
  assertEquals([idsOf(first), idsOf(second)], [[0], []]);
  pool.submit([REQUEST, REQUEST, REQUEST]);
  assertEquals([idsOf(first), idsOf(second)], [[0, 1, 2], [0]]);
  first.event(0, END);
  first.event(1, END);
  pool.submit([REQUEST]);
  assertEquals([idsOf(first), idsOf(second)], [[0, 1, 2, 3], [0]]);
});

Deno.test("EnginePool gives generations in the order of their requests", async () => {
  const [first, second] = [Line.ready(), Line.ready()];
  const [a, b] = poolOf(first, second).submit([REQUEST, REQUEST]);
  first.event(0, { ...END, passes: 1 });
  second.event(0, { ...END, passes: 2 });
  assertEquals(await readAll(a!), [{ ...END, passes: 1 }]);
  assertEquals(await readAll(b!), [{ ...END, passes: 2 }]);
});

Deno.test("EnginePool takes all of a request's sequences or none", () => {
  const [first, second] = [Line.ready(), Line.ready()];
  const pool = poolOf(first, second);
  pool.submit([REQUEST, REQUEST, REQUEST, REQUEST]);
  const three = Array(3).fill(REQUEST);
  // Room for one on each line.
  assertEquals(refusal({ submit: () => pool.submit(three) }), "queue_full");
  const cancelled = (line: Line) => line.sent.filter(({ type }) => type === "cancel");
  assertEquals(cancelled(first), [{ type: "cancel", id: 2 }]);
  assertEquals(cancelled(second), [{ type: "cancel", id: 2 }]);
});

Deno.test("EnginePool goes on with the engines that are left", async () => {
  const [first, second] = [Line.ready(), Line.ready()];
  const pool = poolOf(first, second);
  const [lost] = pool.submit([REQUEST]);
  first.client.fail({ kind: "gpu", message: "lost" });
  await assertRejects(() => readAll(lost!), Error, "The engine failed");
  assertEquals([pool.status, pool.stats.losses], ["ready", 1]);
  pool.submit([REQUEST]);
  assertEquals(idsOf(second), [0]);
  second.client.fail({ kind: "gpu", message: "lost" });
  assertEquals([pool.status, refusal(pool)], ["device_lost", "device_lost"]);
});

Deno.test("EnginePool adds up what its engines hold", () => {
  const [first, second] = [Line.ready(), Line.ready({ maxConcurrent: 3 })];
  const load = {
    usedPages: 1,
    freePages: 2,
    denoisePasses: 3,
    commitPasses: 4,
    prefixCache: { pages: 5, evictedPages: 6, queryTokens: 7, hitTokens: 8 },
    memory: { weights: 9, cache: 10, scratch: 11 },
  };
  for (const line of [first, second]) line.answer({ type: "load", load });
  const pool = poolOf(first, second);
  pool.submit([REQUEST, REQUEST]);
  assertEquals(pool.stats, {
    running: 2,
    waiting: 0,
    scorings: 0,
    slots: 5,
    usedPages: 2,
    freePages: 4,
    denoisePasses: 6,
    commitPasses: 8,
    prefixCache: { pages: 10, evictedPages: 12, queryTokens: 14, hitTokens: 16 },
    memory: { weights: 18, cache: 20, scratch: 22 },
    losses: 0,
  });
});

Deno.test("EnginePool scores on the engine with the fewest scorings, then the most free slots", () => {
  const [first, second] = [Line.ready({ maxQueue: 0 }), Line.ready({ maxQueue: 0 })];
  const pool = poolOf(first, second);
  pool.submit([REQUEST]);
  const request = { windows: [] } as never;
  void pool.score(request);
  void pool.score(request);
  const scored = ({ sent }: Line) => sent.flatMap(({ type }) => type === "score" ? [type] : []);
  assertEquals([scored(first), scored(second)], [["score"], ["score"]]);
  assertEquals(pool.stats.scorings, 2);
  first.answer({ type: "scored", id: 1, scores: null });
  assertEquals(pool.stats.scorings, 1);
  void pool.score(request);
  assertEquals([scored(first), scored(second)], [["score", "score"], ["score"]]);
});

Deno.test("EnginePool lets go of an engine that did not start", () => {
  const [first, second] = [Line.ready(), new Line()];
  const pool = poolOf(first, second);
  assertEquals(pool.stats.slots, 4);
  pool.remove(second.client);
  assertEquals(pool.stats.slots, 2);
});

Deno.test("EnginePool drains engines that come later, too, and is idle when all are", async () => {
  const [first, second, third] = [Line.ready(), Line.ready(), Line.ready()];
  const pool = poolOf(first, second);
  const [a, b] = pool.submit([REQUEST, REQUEST]);
  pool.drain();
  pool.add(third.client);
  assertEquals([third.client.status, pool.status], ["draining", "draining"]);
  let isIdle = false;
  const idle = pool.idle().then(() => isIdle = true);
  first.event(0, END);
  await readAll(a!);
  assertEquals(isIdle, false);
  second.event(0, END);
  await readAll(b!);
  await idle;
});
