import { assert, assertEquals } from "@std/assert";
import { EventSource } from "eventsource";
import { createParser } from "eventsource-parser";
import { copiedText } from "../support/copy_request.ts";
import { CuttingProxy } from "../support/cutting_proxy.ts";
import { readEventStream, type StreamedEvent } from "../support/event_stream.ts";
import { TestServer } from "../support/test_server.ts";

// The stream as the clients of others see it.

const PROMPT = "over and over ";
const TOKENS = 100;
const QUERY = new URLSearchParams({ prompt: PROMPT, max_tokens: String(TOKENS), block_size: "8" });

/** Everything an `EventSource` is told until it gives up, and the status that makes it do so. */
function listen(url: string): Promise<{ events: StreamedEvent[]; status: number | undefined }> {
  const source = new EventSource(url);
  const events: StreamedEvent[] = [];
  for (const name of ["start", "block", "done"]) {
    source.addEventListener(name, ({ lastEventId, data }) => {
      events.push({ event: name, id: lastEventId, data: JSON.parse(data) });
    });
  }
  const over = Promise.withResolvers<Awaited<ReturnType<typeof listen>>>();
  source.onerror = ({ code: status }) => {
    if (source.readyState === source.CLOSED) over.resolve({ events, status });
  };
  return over.promise;
}

Deno.test("an EventSource comes back by itself, misses nothing, and stops at the end", async () => {
  await using server = await TestServer.start("--test-step-ms", "1");
  // Behind the first event, without which it would not know what to come back to.
  const cuts = [[1200, 700], [2000]];
  await Promise.all(cuts.map(async (cutsAt) => {
    await using proxy = new CuttingProxy(server.address, cutsAt);
    const { events, status } = await listen(`${proxy.address}/v1/blocks?${QUERY}`);
    const id = events[0]?.data.id;
    assertEquals(events.map((each) => each.id), events.map((_, i) => `${id}.${i}`));
    const texts = events.slice(1, -1).map(({ data }) => data.text);
    assertEquals(texts.join(""), copiedText(PROMPT, TOKENS));
    assertEquals(events.at(-1)?.event, "done");
    assertEquals(status, 204);
    assertEquals(proxy.connections, cutsAt.length + 1);
  }));
});

Deno.test("eventsource-parser reads the stream alike, wherever its bytes are split", async () => {
  await using server = await TestServer.start("--test-step-ms", "20", "--keepalive-ms", "5");
  const request = { prompt: "a\nb\r\u2028é😀\ufeff", max_tokens: 16, block_size: 8, trace: true };
  const { bytes, events } = await readEventStream(await server.post("/v1/blocks", request));
  const text = new TextDecoder().decode(bytes);
  assert(text.includes(": keep-alive\n\n"), "there is no comment");
  for (let at = 0; at <= bytes.length; at++) {
    assertEquals(parse([bytes.subarray(0, at), bytes.subarray(at)]), events);
  }
  assertEquals(parse(Array.from(bytes, (byte) => Uint8Array.of(byte))), events);
});

/** What `eventsource-parser` makes of a stream that comes in these pieces. */
function parse(pieces: readonly Uint8Array[]): StreamedEvent[] {
  const events: StreamedEvent[] = [];
  const retries: number[] = [];
  const parser = createParser({
    onEvent: ({ event = "", id = null, data }) => {
      events.push({ event, id, data: JSON.parse(data) });
    },
    onRetry: (ms) => retries.push(ms),
    onError: (error) => {
      throw error;
    },
  });
  const decoder = new TextDecoder();
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }));
  assertEquals(retries, [2000]);
  return events;
}
