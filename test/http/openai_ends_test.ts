import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import OpenAI, {
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  InternalServerError,
  RateLimitError,
} from "openai";
import { metric } from "../support/metrics.ts";
import { TestServer } from "../support/test_server.ts";

// How OpenAI's own client fares where an answer does not come to its end.

/** Sequences that may run, and wait, with these flags. */
const PLACES = 8;
const FLAGS = ["--max-concurrent", "2", "--max-queue", "6", "--fault-injection"];
const SHORT = { model: "test-copy", prompt: "ab", max_tokens: 2 };
const ENDLESS = { ...SHORT, max_tokens: 4000, stream: true } as const;

/** Takes all places for 20 s and longer, and waits until the first text has come. */
async function fill(client: OpenAI) {
  const stream = await client.completions.create({ ...ENDLESS, n: PLACES });
  const chunks = stream[Symbol.asyncIterator]();
  await chunks.next();
  return { stream, chunks };
}

/** Waits until all places are free, each time it asks a round trip. */
async function whenFree(client: OpenAI): Promise<void> {
  const start = performance.now();
  while (true) {
    try {
      await client.completions.create({ ...SHORT, n: PLACES });
      break;
    } catch (error) {
      if (!(error instanceof RateLimitError)) throw error;
    }
  }
  assert(performance.now() - start < 10_000, "nobody stopped what nobody reads");
}

Deno.test("openai's client gets what fails, and frees what it leaves", async (t) => {
  await using server = await TestServer.start(...FLAGS);
  const options = { baseURL: `${server.address}/v1`, apiKey: "none", maxRetries: 0 };
  const client = new OpenAI(options);
  const fault = async (fault: object) => {
    await (await server.post("/debug/faults", fault)).body?.cancel();
  };

  await t.step("a pass that fails is InternalServerError", async () => {
    await fault({ fault: "forward_error" });
    const error = await assertRejects(
      async () => await client.completions.create(SHORT),
      InternalServerError,
    );
    assertEquals([error.status, error.code, error.type], [500, "internal_error", "server_error"]);
    assert(error.message.includes(error.requestID ?? "?"), error.message);
  });

  for (
    const [order, code] of [["forward_error", "internal_error"], ["device_lost", "device_lost"]]
  ) {
    await t.step(`${order} in a stream is APIError ${code}, after what came before`, async () => {
      const stream = await client.completions.create(ENDLESS);
      let text = "";
      const error = await assertRejects(async () => {
        for await (const { choices } of stream) {
          if (text === "") await fault({ fault: order, ms: 0 });
          text += choices[0]?.text;
        }
      }, APIError);
      assertEquals([error.code, error.param], [code, null]);
      assert(text.length > 0 && "ab".repeat(2000).startsWith(text), text);
      await whenReady(server);
    });
  }

  await t.step("a chat's stream tells of the error too", async () => {
    const messages = [{ role: "user" as const, content: "on and on, " }];
    const stream = client.chat.completions.stream({
      model: "test-copy",
      messages,
      max_tokens: 4000,
    });
    stream.once("content", () => void fault({ fault: "forward_error" }));
    const error = await assertRejects(() => stream.finalContent(), APIError);
    assertEquals(error.code, "internal_error");
  });

  await t.step("a full queue is RateLimitError, and none of the request runs", async () => {
    const { stream } = await fill(client);
    const error = await assertRejects(
      async () => await client.completions.create({ ...SHORT, n: 2 }),
      RateLimitError,
    );
    assertEquals([error.status, error.code, error.type], [429, "queue_full", "rate_limit_error"]);
    assertMatch(error.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    stream.controller.abort();
    await whenFree(client);
  });

  await t.step("its own retries wait for as long as Retry-After says", async () => {
    const { stream } = await fill(client);
    const answers: { status: number; ms: number }[] = [];
    const patient = new OpenAI({
      ...options,
      maxRetries: 5,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        answers.push({ status: response.status, ms: performance.now() });
        stream.controller.abort();
        return response;
      },
    });
    const { choices } = await patient.completions.create({ ...SHORT, n: 2 });
    assertEquals(choices.map(({ text }) => text), ["ab", "ab"]);
    assertEquals([answers[0]?.status, answers.at(-1)?.status], [429, 200]);
    // Its own first pause would be half a second at most.
    const pauseMs = answers[1]!.ms - answers[0]!.ms;
    assert(pauseMs > 900, `it waited for ${pauseMs} ms`);
    await whenFree(client);
  });

  await t.step("abort() in the middle of a stream frees its places", async () => {
    const { stream, chunks } = await fill(client);
    stream.controller.abort();
    while (!(await chunks.next()).done);
    await whenFree(client);
  });

  await t.step("a loop that is left frees its places", async () => {
    for await (const _ of await client.completions.create({ ...ENDLESS, n: PLACES })) break;
    await whenFree(client);
  });

  await t.step("abort() before the answer frees its places", async () => {
    const leave = new AbortController();
    const ask = { ...ENDLESS, n: PLACES, stream: false } as const;
    const answer = client.completions.create(ask, { signal: leave.signal }).asResponse();
    const rejected = assertRejects(() => answer, APIUserAbortError);
    while (await metric(server, "bd_sequences_running") === 0);
    leave.abort();
    await rejected;
    await whenFree(client);
  });

  await t.step("a client's own timeout frees its places", async () => {
    const ask = { ...ENDLESS, n: PLACES, stream: false } as const;
    await assertRejects(
      async () => await client.completions.create(ask, { timeout: 100 }),
      APIConnectionTimeoutError,
    );
    await whenFree(client);
  });
});

async function whenReady(server: TestServer): Promise<void> {
  while (true) {
    const response = await server.get("/ready");
    await response.body?.cancel();
    if (response.ok) return;
  }
}

Deno.test("openai's client is told of a time limit, in an answer and in a stream", async () => {
  await using server = await TestServer.start("--request-timeout-ms", "300");
  const client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: "none", maxRetries: 0 });
  const answer = await assertRejects(
    async () => await client.completions.create({ ...ENDLESS, stream: false }),
    InternalServerError,
  );
  assertEquals([answer.status, answer.code, answer.type], [
    504,
    "generation_timeout",
    "timeout_error",
  ]);
  const stream = await client.completions.create(ENDLESS);
  const error = await assertRejects(() => Array.fromAsync(stream), APIError);
  assertEquals(error.code, "generation_timeout");
});
