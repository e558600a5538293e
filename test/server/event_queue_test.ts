import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { EventQueue } from "../../src/server/event_queue.ts";
import type { ServerEvent } from "../../src/server/sse.ts";

function block(text: string): ServerEvent {
  return { event: "block", id: "x", data: text };
}

function step(number: number, text = ""): ServerEvent {
  return { event: "step", id: null, data: { number, text } };
}

async function drain(queue: EventQueue<ServerEvent>): Promise<ServerEvent[]> {
  return await Array.fromAsync(queue);
}

Deno.test("EventQueue gives what was added, in order, whether its reader waits or comes later", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  const waiting = queue.next();
  queue.push(block("a"));
  queue.push(block("b"));
  queue.end();
  queue.push(block("after the end"));
  assertEquals(await waiting, { done: false, value: block("a") });
  assertEquals(await drain(queue), [block("b")]);
});

Deno.test("EventQueue throws a failure after what was added before it", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  const error = new Error("lost");
  queue.push(block("a"));
  queue.end({ error });
  queue.end();
  assertEquals(await queue.next(), { done: false, value: block("a") });
  assertStrictEquals(await assertRejects(() => queue.next(), Error), error);
  assertEquals(await queue.next(), { done: true, value: undefined });
});

Deno.test("EventQueue throws a failure to a reader that waits", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  const waiting = queue.next();
  queue.end({ error: new Error("lost") });
  await assertRejects(() => waiting, Error, "lost");
});

Deno.test("EventQueue keeps every block and drops steps where more than 64 KiB would wait", async () => {
  let dropped = 0;
  const queue = new EventQueue<ServerEvent>(() => {}, (steps) => dropped += steps);
  const large = "x".repeat(30_000);
  queue.push(step(1, large));
  queue.push(block("a"));
  queue.push(step(2, large));
  queue.push(step(3, large));
  queue.push(step(4));
  queue.end();
  assertEquals(await drain(queue), [step(1, large), block("a"), step(2, large), step(4)]);
  assertEquals(dropped, 1);
});

Deno.test("EventQueue drops drafts as it drops steps", async () => {
  let dropped = 0;
  const queue = new EventQueue<ServerEvent>(() => {}, (drafts) => dropped += drafts);
  const message = (data: string, isDraft: boolean) => ({ event: null, id: null, data, isDraft });
  const large = "x".repeat(40_000);
  queue.push(message(large, true));
  queue.push(message(large, true));
  queue.push(message(large, false));
  queue.push(message("end", false));
  queue.end();
  assertEquals(await drain(queue), [message(large, false), message("end", false)]);
  assertEquals(dropped, 2);
});

Deno.test("EventQueue drops steps that wait before a block that does not fit", async () => {
  let dropped = 0;
  const queue = new EventQueue<ServerEvent>(() => {}, (steps) => dropped += steps);
  const large = "x".repeat(65_536);
  queue.push(step(1));
  queue.push(block("a"));
  queue.push(step(2));
  queue.push(block(large));
  queue.push(step(3));
  queue.push(block("b"));
  queue.end();
  assertEquals(await drain(queue), [block("a"), block(large), block("b")]);
  assertEquals(dropped, 3);
});

Deno.test("EventQueue takes time in proportion to what waits", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  const count = 200_000;
  for (let number = 0; number < count; number += 1) queue.push(block(`${number}`));
  queue.end();
  const read = await drain(queue);
  assertEquals([read.length, read.at(-1)], [count, block(`${count - 1}`)]);
});

Deno.test("EventQueue keeps steps again when its reader has caught up", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  for (let number = 0; number < 10; number += 1) {
    queue.push(step(number, "x".repeat(60_000)));
    assertEquals((await queue.next()).done, false);
  }
});

Deno.test("EventQueue tells once when its reader leaves early, and never after the end", async () => {
  let left = 0;
  const early = new EventQueue<ServerEvent>(() => left += 1);
  const waiting = early.next();
  await early.return();
  await early.return();
  assertEquals([left, await waiting], [1, { done: true, value: undefined }]);
  const ended = new EventQueue<ServerEvent>(() => left += 1);
  ended.end();
  await ended.return();
  assertEquals(left, 1);
});
