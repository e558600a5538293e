import { assertEquals, fail } from "@std/assert";
import { EventQueue } from "../../src/server/event_queue.ts";
import {
  DONE,
  eventStream,
  frame,
  type ServerEvent,
  type StreamOptions,
} from "../../src/server/sse.ts";

const options: StreamOptions = {
  keepaliveMs: 60_000,
  writeTimeoutMs: 60_000,
  onSlow: () => fail("no reader is slow"),
};

const hello: ServerEvent = { event: "block", id: "G.0", data: { text: "a\nb\r\u2028é" } };

function readerOf(response: Response): { read: () => Promise<string>; cancel(): Promise<void> } {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  return { read: async () => (await reader.read()).value ?? "", cancel: () => reader.cancel() };
}

Deno.test("frame() puts JSON on one line, and an id only where there is one", () => {
  assertEquals(
    frame(hello),
    'event: block\nid: G.0\ndata: {"text":"a\\nb\\r\u2028é"}\n\n',
  );
  assertEquals(frame({ event: "step", id: null, data: [1] }), "event: step\ndata: [1]\n\n");
  assertEquals(frame({ event: null, id: null, data: [1] }), "data: [1]\n\n");
  assertEquals(frame({ event: null, id: null, data: DONE }), "data: [DONE]\n\n");
});

Deno.test("eventStream() starts with retry, sends events and ends", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  queue.push(hello);
  queue.end();
  assertEquals(await eventStream(queue, options).text(), `retry: 2000\n\n${frame(hello)}`);
});

Deno.test("eventStream() asks for an event only when the reader wants one", async () => {
  let asked = 0;
  const events = (async function* (): AsyncGenerator<ServerEvent> {
    while (true) {
      asked += 1;
      yield hello;
    }
  })();
  const reader = eventStream(events, options).body!.getReader();
  await reader.read();
  assertEquals(asked, 0);
  await reader.read();
  assertEquals(asked, 1);
  await reader.cancel();
});

Deno.test("eventStream() sends comments while nothing happens, and loses no event to them", async () => {
  const queue = new EventQueue<ServerEvent>(() => {});
  const stream = eventStream(queue, { ...options, keepaliveMs: 1 });
  const { read } = readerOf(stream);
  assertEquals(await read(), "retry: 2000\n\n");
  assertEquals(await read(), ": keep-alive\n\n");
  assertEquals(await read(), ": keep-alive\n\n");
  queue.push(hello);
  queue.end();
  let text = await read();
  while (text === ": keep-alive\n\n") text = await read();
  assertEquals(text, frame(hello));
});

Deno.test("eventStream() leaves its events when the reader does", async () => {
  let left = 0;
  const queue = new EventQueue<ServerEvent>(() => left += 1);
  const reader = eventStream(queue, options).body!.getReader();
  await reader.read();
  const waiting = reader.read();
  await reader.cancel();
  assertEquals([left, await waiting], [1, { done: true, value: undefined }]);
});

Deno.test("eventStream() gives up a reader that takes nothing", async () => {
  const left = Promise.withResolvers<void>();
  const queue = new EventQueue<ServerEvent>(() => left.resolve());
  let slow = 0;
  const impatient = { ...options, writeTimeoutMs: 1, onSlow: () => slow += 1 };
  const reader = eventStream(queue, impatient).body!.getReader();
  await reader.read();
  await left.promise;
  const reason = await reader.read().then(() => "was read", (reason) => reason);
  assertEquals([reason, slow], ["Cannot send: the reader took nothing for 1 ms", 1]);
});
