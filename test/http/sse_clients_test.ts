import { assertEquals, assertMatch } from "@std/assert";
import { EventSource } from "eventsource";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { TestServer } from "../support/test_server.ts";

// The stream of blocks in the hands of other people's readers of server-sent events.

const QUERY = new URLSearchParams({
  prompt: "é中😀 \ufeff",
  max_tokens: "30",
  block_size: "2",
  seed: "9007199254740991",
});

/** What an `EventSource` has delivered when its stream ends, or it gives up. */
async function deliveredBy(source: EventSource): Promise<string[]> {
  const end = Promise.withResolvers<void>();
  const delivered: string[] = [];
  for (const type of ["open", "start", "step", "block", "done"]) {
    source.addEventListener(type, (event) => {
      const { data, lastEventId } = event as MessageEvent;
      delivered.push(type === "open" ? type : `${type} ${lastEventId.split(".")[1]} ${data}`);
      if (type === "done") end.resolve();
    });
  }
  source.addEventListener("error", (event) => {
    // An event of the server's own has data, one of the connection's has not.
    const { data } = event as unknown as MessageEvent;
    delivered.push(data === undefined ? `error ${event.code}` : `error ${data}`);
    end.resolve();
  });
  await end.promise;
  source.close();
  return delivered;
}

Deno.test("other readers of server-sent events read the stream of blocks", async (t) => {
  await using server = await TestServer.start("--test-step-ms", "1", "--fault-injection");
  const url = `${server.address}/v1/blocks`;

  await t.step("eventsource delivers every event under its name and id", async () => {
    const [opened, ...events] = await deliveredBy(new EventSource(`${url}?${QUERY}`));
    assertEquals(opened, "open");
    const parsed = events.map((each) => /^(\w+) (\d+) (.*)$/.exec(each)!.slice(1));
    const kinds = ["start", ...Array(15).fill("block"), "done"];
    assertEquals(
      parsed.map(([kind, number]) => `${kind} ${number}`),
      kinds.map((k, i) => `${k} ${i}`),
    );
    const data = parsed.map(([, , json]) => JSON.parse(json!));
    assertEquals(data[0].seed, Number.MAX_SAFE_INTEGER);
    // 13 bytes twice, and 4 that end inside a character.
    const text = data.map((each) => each.text ?? "").join("");
    assertEquals(text, "é中😀 \ufeffé中😀 \ufeffé\ufffd");
    assertEquals(data.at(-1).usage.completion_tokens, 30);
  });

  await t.step("eventsource gives up where it is refused", async () => {
    const source = new EventSource(`${url}?max_tokens=0`);
    assertEquals(await deliveredBy(source), ["error 400"]);
    assertEquals(source.readyState, EventSource.CLOSED);
  });

  await t.step("eventsource delivers the server's own error with its data", async () => {
    const source = new EventSource(`${url}?prompt=a&max_tokens=4000`);
    source.addEventListener("block", async () => {
      await (await server.post("/debug/faults", { fault: "forward_error" })).body?.cancel();
    }, { once: true });
    const last = (await deliveredBy(source)).at(-1) ?? "";
    assertMatch(last, /^error \{"error":\{"message":.*"code":"internal_error"\}\}$/);
  });

  await t.step("eventsource-parser reads it in pieces of any size", async () => {
    const bytes = new Uint8Array(await (await server.get(`/v1/blocks?${QUERY}`)).arrayBuffer());
    const whole = parse(bytes, bytes.length);
    assertEquals(whole.retries, [2000]);
    assertEquals(whole.events.length, 17);
    for (const size of [1, 2, 3, 7, 64]) assertEquals(parse(bytes, size), whole);
  });
});

/** What the parser makes of `bytes`, fed to it `size` at a time. */
function parse(bytes: Uint8Array, size: number) {
  const events: EventSourceMessage[] = [];
  const retries: number[] = [];
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onRetry: (ms) => void retries.push(ms),
    onError: (error) => {
      throw error;
    },
  });
  const decoder = new TextDecoder();
  for (let i = 0; i < bytes.length; i += size) {
    parser.feed(decoder.decode(bytes.subarray(i, i + size), { stream: true }));
  }
  return { events, retries };
}
