import { assert, assertEquals } from "@std/assert";
import { copiedText, copyOf } from "../support/copy_request.ts";
import { type EventStream, readEventStream } from "../support/event_stream.ts";
import { OpenStream } from "../support/open_stream.ts";
import { connectRaw } from "../support/raw_http.ts";
import { sha256 } from "../support/sha256.ts";
import { TestServer } from "../support/test_server.ts";

// Many clients at once, and connections that come to nothing.

const PLACES = ["--max-concurrent", "4", "--max-queue", "8"];
/** Connections of the contract, section 10.5. */
const HALF_OPEN = 500;

/** What client number `i` asks for: no two ask the same. */
function requestOf(i: number) {
  return { prompt: `client ${i} says: `, max_tokens: 40 + i, block_size: 2 ** (i % 6), seed: i };
}

async function assertOwnAnswer(i: number, answer: EventStream): Promise<void> {
  const { prompt, max_tokens } = requestOf(i);
  const text = copiedText(prompt, max_tokens);
  assertEquals(answer.text, text);
  assertEquals(answer.tokens, copyOf([...new TextEncoder().encode(prompt)], max_tokens));
  assertEquals(answer.events[0]?.data.seed, i);
  assertEquals(answer.last.data.text_sha256, await sha256(text));
}

/** The text of client `i`'s answer by each of the ways to ask for one that is not a stream of blocks. */
const WAYS: readonly ((server: TestServer, i: number) => Promise<string>)[] = [
  async (server, i) => {
    const response = await server.post("/v1/blocks", { ...requestOf(i), stream: false });
    return (await response.json()).text;
  },
  async (server, i) => {
    const response = await server.post("/v1/completions", { model: "test-copy", ...requestOf(i) });
    return (await response.json()).choices[0].text;
  },
  async (server, i) => {
    const request = { model: "test-copy", ...requestOf(i), stream: true };
    const text = await (await server.post("/v1/completions", request)).text();
    const data = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json = ""]) => JSON.parse(json));
    return data.map(({ choices }) => choices[0].text).join("");
  },
];

Deno.test("64 clients at once get their own text each, whichever way they ask", async () => {
  await using server = await TestServer.start("--test-step-ms", "1");
  const clients = Array.from({ length: 64 }, (_, i) => i);
  await Promise.all(clients.map(async (i) => {
    const way = WAYS[i % 6];
    if (way === undefined) return await assertOwnAnswer(i, await server.blocks(requestOf(i)));
    const { prompt, max_tokens } = requestOf(i);
    assertEquals(await way(server, i), copiedText(prompt, max_tokens));
  }));
});

Deno.test("200 clients on 4 + 8 places see 200 and 429 only, and leave nothing behind", async () => {
  await using server = await TestServer.start(...PLACES);
  const clients = Array.from({ length: 200 }, (_, i) => i);
  const statuses = await Promise.all(clients.map(async (i) => {
    const response = await server.post("/v1/blocks", requestOf(i));
    if (response.status === 200) {
      await assertOwnAnswer(i, await readEventStream(response));
    } else {
      assertEquals((await response.json()).error.code, "queue_full");
      assert(Number(response.headers.get("retry-after")) >= 1, "Retry-After is missing");
    }
    return response.status;
  }));
  assertEquals(new Set(statuses), new Set([200, 429]));
  // The first 12 found a place; later ones did where one had become free.
  assert(statuses.filter((each) => each === 200).length >= 12);
  await assertIdle(server, { running: 4, waiting: 8 });
});

/** Every place is free: that many are taken, each at its place in the line, and given up again. */
async function assertIdle(
  server: TestServer,
  { running, waiting }: { readonly running: number; readonly waiting: number },
): Promise<void> {
  const request = { prompt: "on and on, ", max_tokens: 4000, resume_ms: 0 };
  const streams = await Promise.all(
    Array.from(
      { length: running + waiting },
      () => OpenStream.open(server, request, { part: '"params":' }),
    ),
  );
  const positions = streams.map(({ text }) => Number(/"queue_position":(\d+)/.exec(text)?.[1]));
  const expected = [...Array(running).fill(0), ...Array.from({ length: waiting }, (_, i) => i)];
  assertEquals(positions.toSorted((a, b) => a - b), expected.toSorted((a, b) => a - b));
  await Promise.all(streams.map((each) => each.leave()));
}

Deno.test(`${HALF_OPEN} connections that never finish their headers harm nobody`, async () => {
  await using server = await TestServer.start("--test-step-ms", "1");
  const text = "POST /v1/blocks HTTP/1.1\r\nHost: localhost\r\nContent-Type: appl";
  const connections = await Promise.all(
    Array.from({ length: HALF_OPEN }, (_, i) => connectRaw(server.address, text.slice(0, i))),
  );
  try {
    const clients = Array.from({ length: 32 }, (_, i) => i);
    await Promise.all(clients.map(async (i) => {
      await assertOwnAnswer(i, await server.blocks(requestOf(i)));
    }));
    assertEquals(await (await server.get("/health")).json(), { status: "ok" });
    // They do not hold up the end of the server, either.
    server.signal("SIGTERM");
    assertEquals((await server.status).code, 0);
  } finally {
    for (const each of connections) each.close();
  }
});
