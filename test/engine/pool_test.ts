import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import { EnginePool } from "../../src/engine/pool.ts";
import { BusyError, SequenceError } from "../../src/engine/request.ts";
import type { ScoreRequest } from "../../src/engine/score.ts";
import { BLOCK, END, Line, readAll, refusal, REQUEST } from "../support/engine_line.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

const SCORE: ScoreRequest = {
  texts: [{ tokens: [1, 2, 3], given: 1 }],
  blockSize: 4,
  samples: 1,
  seed: 7,
  byToken: false,
};
const LOSS = { kind: "gpu", message: "lost" } as const;

/** A pool of engines with two slots each, or as many as said, and a clock of its own. */
class Pooled {
  readonly lines: readonly Line[];
  readonly pool: EnginePool;
  ms = 0;

  constructor(
    { slots = [2, 2], maxQueue = 1 }: { slots?: readonly number[]; maxQueue?: number } = {},
  ) {
    const onRoom = () => this.pool.serveLine();
    this.lines = slots.map((maxConcurrent) => new Line({ maxConcurrent, onRoom }));
    const [first, ...others] = this.lines;
    this.pool = new EnginePool(first!.client, { maxQueue, now: () => this.ms });
    for (const { client } of others) this.pool.add(client);
  }

  /** One whose engines are all ready. */
  static ready(options?: ConstructorParameters<typeof Pooled>[0]): Pooled {
    const pooled = new Pooled(options);
    for (const line of pooled.lines) line.answer({ type: "ready", model: BYTE_MODEL });
    return pooled;
  }

  /** Ids that each engine was sent, by what for. */
  sent(type: "submit" | "score" | "cancel"): number[][] {
    return this.lines.map(({ sent }) =>
      sent.flatMap((each) => each.type === type && "id" in each ? [each.id] : [])
    );
  }
}

Deno.test("EnginePool is ready with its first engine and gives the others nothing before", async () => {
  const pooled = new Pooled();
  const { pool, lines } = pooled;
  assertEquals([pool.status, refusal(pool)], ["loading", "model_loading"]);
  lines[0]!.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals([await pool.ready, pool.model, pool.status], [BYTE_MODEL, BYTE_MODEL, "ready"]);
  pool.submit([REQUEST, REQUEST, REQUEST]);
  assertEquals(pooled.sent("submit"), [[0, 1], []]);
  lines[1]!.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals(pooled.sent("submit"), [[0, 1], [0]]);
});

Deno.test("EnginePool gives a sequence to the engine with the most free slots", () => {
  const pooled = Pooled.ready({ slots: [3, 2] });
  const { pool, lines } = pooled;
  pool.submit([REQUEST]);
  assertEquals(pooled.sent("submit"), [[0], []]);
  pool.submit([REQUEST, REQUEST, REQUEST]);
  assertEquals(pooled.sent("submit"), [[0, 1, 2], [0]]);
  lines[0]!.event(0, END);
  lines[0]!.event(1, END);
  pool.submit([REQUEST]);
  assertEquals(pooled.sent("submit"), [[0, 1, 2, 3], [0]]);
});

Deno.test("EnginePool gives generations in the order of their requests", async () => {
  const { pool, lines } = Pooled.ready();
  const [a, b] = pool.submit([REQUEST, REQUEST]);
  lines[0]!.event(0, { ...END, passes: 1 });
  lines[1]!.event(0, { ...END, passes: 2 });
  assertEquals(await readAll(a!), [{ ...END, passes: 1 }]);
  assertEquals(await readAll(b!), [{ ...END, passes: 2 }]);
});

Deno.test("EnginePool has one line, whose first goes to the engine that is free first", async () => {
  const pooled = Pooled.ready({ slots: [1, 1], maxQueue: 3 });
  const { pool, lines } = pooled;
  const taken = pool.submit(Array(5).fill(REQUEST));
  assertEquals(taken.map(({ queuePosition }) => queuePosition), [0, 0, 0, 1, 2]);
  assertEquals([pool.stats.running, pool.stats.waiting, refusal(pool)], [2, 3, "queue_full"]);
  pooled.ms = 30;
  lines[1]!.event(0, END);
  assertEquals(pooled.sent("submit"), [[0], [0, 1]]);
  lines[1]!.event(1, { ...END, passes: 7, queueMs: 2 });
  assertEquals(pooled.sent("submit"), [[0], [0, 1, 2]]);
  assertEquals([pool.stats.running, pool.stats.waiting], [2, 1]);
  // What it has waited here is told with what it waited there.
  assertEquals(await readAll(taken[2]!), [{ ...END, passes: 7, queueMs: 32 }]);
  lines[1]!.event(2, BLOCK);
  lines[1]!.answer({ type: "error", id: 2, code: "internal_error", message: "no numbers" });
  await assertRejects(() => readAll(taken[3]!), SequenceError, "no numbers");
  assertEquals(pooled.sent("submit"), [[0], [0, 1, 2, 3]]);
});

Deno.test("EnginePool without a queue takes what runs at once", () => {
  const { pool } = Pooled.ready({ slots: [1, 1], maxQueue: 0 });
  pool.submit([REQUEST, REQUEST]);
  assertEquals(refusal(pool), "queue_full");
});

Deno.test("EnginePool takes all of a request's sequences or none", () => {
  const pooled = Pooled.ready();
  pooled.pool.submit([REQUEST, REQUEST, REQUEST]);
  // One slot, one place in the line.
  assertThrows(() => pooled.pool.submit([REQUEST, REQUEST, REQUEST]), BusyError, "queue full");
  assertEquals(pooled.sent("submit"), [[0, 1], [0]]);
  pooled.pool.submit([REQUEST, REQUEST]);
  assertEquals(pooled.pool.stats.waiting, 1);
});

Deno.test("EnginePool lets a sequence leave the line, and only that one", async () => {
  const pooled = Pooled.ready({ slots: [1], maxQueue: 9 });
  const { pool, lines } = pooled;
  const [, cancelled, last] = pool.submit(Array(3).fill(REQUEST));
  pooled.ms = 5;
  cancelled!.cancel();
  cancelled!.cancel();
  const end = { type: "end", reason: "cancelled", passes: 0, queueMs: 5 } as const;
  assertEquals(await readAll(cancelled!), [end]);
  lines[0]!.event(0, END);
  assertEquals([pooled.sent("submit"), pool.stats.waiting], [[[0, 1]], 0]);
  // Once it runs the engine is asked.
  last!.cancel();
  assertEquals(pooled.sent("cancel"), [[1]]);
  lines[0]!.event(1, { ...END, reason: "cancelled" });
  assertEquals((await readAll(last!)).at(-1)!.type, "end");
});

Deno.test("EnginePool goes on with the engines that are left, and so does its line", async () => {
  const pooled = Pooled.ready({ slots: [1, 1], maxQueue: 2 });
  const { pool, lines } = pooled;
  const [lost, , waiting, last] = pool.submit(Array(4).fill(REQUEST));
  lines[0]!.client.fail(LOSS);
  await assertRejects(() => readAll(lost!), SequenceError, "The engine failed");
  assertEquals([pool.status, pool.stats.losses, pool.stats.waiting], ["ready", 1, 2]);
  lines[1]!.event(0, END);
  assertEquals(pooled.sent("submit"), [[0], [0, 1]]);
  lines[1]!.client.fail(LOSS);
  for (const each of [waiting, last]) {
    const error = await assertRejects(() => readAll(each!), SequenceError);
    assertEquals(error.code, "device_lost");
  }
  assertEquals([pool.status, refusal(pool)], ["device_lost", "device_lost"]);
});

Deno.test("EnginePool gives nothing to an engine that has begun to fail", () => {
  const pooled = Pooled.ready({ slots: [1, 1] });
  const { pool, lines } = pooled;
  pool.submit([REQUEST, REQUEST, REQUEST]);
  // As engines tell it: the running sequences first, then why.
  lines[0]!.answer({ type: "error", id: 0, code: "device_lost", message: "lost" });
  assertEquals([pooled.sent("submit"), pool.stats.waiting], [[[0], [0]], 1]);
  lines[0]!.answer({ type: "failed", failure: LOSS });
  assertEquals([pool.stats.waiting, pool.stats.losses], [1, 1]);
  lines[1]!.event(0, END);
  assertEquals(pooled.sent("submit"), [[0], [0, 1]]);
});

Deno.test("EnginePool keeps its line while another engine loads", () => {
  const pooled = new Pooled({ slots: [1, 1] });
  const { pool, lines } = pooled;
  lines[0]!.answer({ type: "ready", model: BYTE_MODEL });
  pool.submit([REQUEST, REQUEST]);
  lines[0]!.client.fail(LOSS);
  assertEquals([pool.status, pool.stats.waiting], ["device_lost", 1]);
  lines[1]!.answer({ type: "ready", model: BYTE_MODEL });
  assertEquals([pooled.sent("submit"), pool.stats.waiting], [[[0], [0]], 0]);
});

Deno.test("EnginePool.abort() ends what waits", async () => {
  const { pool } = Pooled.ready({ slots: [1] });
  const [, waiting] = pool.submit([REQUEST, REQUEST]);
  pool.abort(new SequenceError("draining", "The server is shutting down"));
  assertEquals((await assertRejects(() => readAll(waiting!), SequenceError)).code, "draining");
  assertEquals(pool.stats.waiting, 0);
});

Deno.test("EnginePool adds up what its engines hold", () => {
  const { pool, lines } = Pooled.ready({ slots: [2, 3] });
  const load = {
    usedPages: 1,
    freePages: 2,
    denoisePasses: 3,
    commitPasses: 4,
    prefixCache: { pages: 5, evictedPages: 6, queryTokens: 7, hitTokens: 8 },
    memory: { weights: 9, cache: 10, scratch: 11 },
  };
  for (const line of lines) line.answer({ type: "load", load });
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
  pool.remove(lines[1]!.client);
  assertEquals(pool.stats.slots, 2);
});

Deno.test("EnginePool scores on the engine with the fewest scorings, then the most free slots", () => {
  const pooled = Pooled.ready({ maxQueue: 1 });
  const { pool, lines } = pooled;
  pool.submit([REQUEST]);
  pool.score(SCORE);
  pool.score(SCORE);
  assertEquals([pooled.sent("score"), pool.stats.scorings], [[[1], [0]], 2]);
  // One more waits, in the place of a sequence.
  pool.score(SCORE);
  assertEquals(pooled.sent("score"), [[1], [0, 1]]);
  assertThrows(() => pool.score(SCORE), BusyError, "queue full");
  pool.submit([REQUEST, REQUEST, REQUEST]);
  assertEquals(refusal(pool), "queue_full");
  lines[1]!.answer({ type: "scored", id: 0, scores: null });
  assertEquals(pool.stats.scorings, 2);
  pool.submit([REQUEST]);
  assertThrows(() => pool.score(SCORE), BusyError, "queue full");
});

Deno.test("EnginePool drains: it takes nothing more, and is idle when all has ended", async () => {
  const { pool, lines } = Pooled.ready({ slots: [1, 1] });
  const [, , waiting] = pool.submit([REQUEST, REQUEST, REQUEST]);
  pool.drain();
  assertEquals([pool.status, refusal(pool)], ["draining", "draining"]);
  assertThrows(() => pool.score(SCORE), BusyError, "draining");
  let isIdle = false;
  const idle = pool.idle().then(() => isIdle = true);
  lines[0]!.event(0, END);
  lines[1]!.event(0, END);
  await delay(0);
  assert(!isIdle, "idle while one runs that waited");
  lines[0]!.event(1, END);
  assertEquals((await readAll(waiting!)).length, 1);
  await idle;
});
