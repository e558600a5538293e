import { assertEquals, assertMatch } from "@std/assert";
import { EventSource } from "eventsource";
import { deadline } from "../support/deadline.ts";
import { readEventStream } from "../support/event_stream.ts";
import { TestServer } from "../support/test_server.ts";
import { blockOf } from "./documents.ts";

const ADDRESS = "http://127.0.0.1:8000";

/** Names and keys of events, which every device has alike. */
function shapesOf(events: readonly { event: string | null; data: unknown }[]) {
  return events.map(({ event, data }) => [event, Object.keys(data as object)]);
}

Deno.test("README's examples do what README shows", async (t) => {
  await using server = await TestServer.startWithDevice();

  await t.step("curl's request has such an answer", async () => {
    const session = await blockOf("README.md", "console");
    const [, path, name, value, body] =
      /^\$ curl -N http:\/\/127\.0\.0\.1:8000(\S+) -H '([\w-]+): (\S+)' \\\n +-d '(\{.*\})'\n/
        .exec(session)!;
    const printed = session.slice(session.indexOf("\nretry: ") + 1);
    const response = await server.get(path!, {
      method: "POST",
      headers: { [name!]: value! },
      body: body!,
    });
    const shown = await readEventStream(new Response(`${printed}\n`));
    const given = await readEventStream(response);
    assertEquals(shapesOf(given.events), shapesOf(shown.events));
    const started = (stream: typeof shown) => stream.events[0]?.data as Record<string, unknown>;
    const { seed, model, params } = started(shown);
    const actual = started(given);
    assertEquals([actual.seed, actual.model, actual.params], [seed, model, params]);
  });

  await t.step("the page's script prints blocks and then closes", async () => {
    const script = (await blockOf("README.md", "js")).replaceAll(ADDRESS, server.address);
    const printed: string[] = [];
    const ended = Promise.withResolvers<void>();
    let requests = 0;
    /** Tells of its end, and how often it asked: one that is not closed asks for what follows. */
    class Source extends EventSource {
      constructor(url: string) {
        super(url, { fetch: (input, init) => (requests += 1, fetch(input, init)) });
      }

      override close(): void {
        super.close();
        ended.resolve();
      }
    }
    const log = (text: string) => void printed.push(text);
    new Function("EventSource", "console", script)(Source, { log });
    await deadline(ended.promise, "the end of the stream");
    assertEquals(requests, 1);
    assertMatch(printed.join(""), /^[^{}]{20,}$/);
  });
});

Deno.test("README's Python names routes and fields that openai's client has, too", async () => {
  await using server = await TestServer.start();
  const python = await blockOf("README.md", "py");
  assertMatch(python, new RegExp(`base_url="${ADDRESS}/v1"`));
  const [, prompt = "", maxTokens = ""] =
    /completions\.create\(\s*model="[\w-]+", prompt="([^"]*)", max_tokens=(\d+), stream=True\s*\)/
      .exec(python) ?? [];
  const body = { model: "test-copy", prompt, max_tokens: Number(maxTokens), stream: true };
  const response = await server.post("/v1/completions", body);
  const text = await response.text();
  assertMatch(text, /"choices":\[\{"index":0,"text":"/);
  assertMatch(python, /chunk\.choices\[0\]\.text/);
});
