import { assertEquals, assertRejects } from "@std/assert";
import { readEvents } from "../../../src/server/playground/events.js";

const BLOCK = 'event: block\nid: blk_a.1\ndata: {"text":"né\\n\\nx"}\n\n';
const STREAM = `retry: 2000\n\nevent: step\ndata: {"step":1}\n\n: keep-alive\n\n${BLOCK}`;
const EVENTS = [
  { event: "step", id: null, data: { step: 1 } },
  { event: "block", id: "blk_a.1", data: { text: "né\n\nx" } },
];

/** A body that comes in pieces of `size` bytes, and breaks at its end if there is an error. */
function bodyOf(
  text: string,
  size: number,
  error?: Error,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at += size));
      else if (error) controller.error(error);
      else controller.close();
    },
  });
}

for (const size of [1, 2, 7, 1000]) {
  Deno.test(`readEvents() reads a stream in pieces of ${size} bytes`, async () => {
    assertEquals<unknown>(await Array.fromAsync(readEvents(bodyOf(STREAM, size))), EVENTS);
  });
}

Deno.test("readEvents() leaves out an event that was cut off", async () => {
  const cut = STREAM.slice(0, -1);
  assertEquals<unknown>(await Array.fromAsync(readEvents(bodyOf(cut, 1000))), EVENTS.slice(0, 1));
});

Deno.test("readEvents() gives what came before the connection broke, then its error", async () => {
  const seen: unknown[] = [];
  await assertRejects(
    async () => {
      for await (const event of readEvents(bodyOf(STREAM, 5, new TypeError("gone")))) {
        seen.push(
          event,
        );
      }
    },
    TypeError,
    "gone",
  );
  assertEquals(seen, EVENTS);
});

Deno.test("readEvents() leaves the connection when its reader leaves", async () => {
  const left = Promise.withResolvers<void>();
  const bytes = new TextEncoder().encode(STREAM);
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(bytes),
    cancel: () => left.resolve(),
  });
  for await (const _ of readEvents(body)) break;
  await left.promise;
});
