import { assert, assertEquals, assertMatch } from "@std/assert";
import { copiedText } from "../support/copy_request.ts";
import {
  connectRaw,
  parseResponse,
  postText,
  readRaw,
  readResponse,
  requestText,
  sendRaw,
  wholeEvents,
} from "../support/raw_http.ts";
import { residentBytes } from "../support/resident_memory.ts";
import { sha256 } from "../support/sha256.ts";
import { TestServer } from "../support/test_server.ts";

// Clients that read or write slowly, or not at all.

const READERS = 16;
/** Bytes that a reader which never reads may cost. */
const READER_BYTES = 16 << 20;
/** Pieces of a body at most. Source: the contract, section 2. */
const PIECES = 16_384;

const JSON_TYPE = { "Content-Type": "application/json" };

Deno.test(`${READERS} readers that never read cost others nothing, and little memory`, async () => {
  const places = ["--max-concurrent", String(READERS)];
  await using server = await TestServer.start("--test-step-ms", "0", ...places);
  const request = { prompt: "never read ", max_tokens: 1000, block_size: 32, trace: true };
  // What the first streams bring with them is no reader's cost.
  await Promise.all([1, 2, 3, 4].map(() => server.blocks(request)));
  const before = await residentBytes(server.pid);
  const text = postText("/v1/blocks", request, { Connection: "close" });
  const readers = await Promise.all(
    Array.from({ length: READERS }, () => connectRaw(server.address, text)),
  );
  try {
    await assertOthers(server, readers.length);
    const grown = await residentBytes(server.pid) - before;
    assert(grown < READERS * READER_BYTES, `${READERS} readers cost ${grown} bytes`);
    // What was not read is there still.
    const answers = await Promise.all(readers.map(readAnswer));
    const whole = copiedText("never read ", 1000);
    for (const answer of answers) assertEquals(answer, { text: whole, hash: await sha256(whole) });
  } finally {
    for (const each of readers) each.close();
  }
});

/** As many get answers as there are places, so that every place must have become free. */
async function assertOthers(server: TestServer, count: number): Promise<void> {
  const prompts = Array.from({ length: count }, (_, i) => `other ${i} `);
  const answers = await Promise.all(
    prompts.map((prompt) => server.blocks({ prompt, max_tokens: 500 })),
  );
  assertEquals(answers.map(({ text }) => text), prompts.map((each) => copiedText(each, 500)));
}

/** The text of a stream's blocks, and its digest as the server has it. */
async function readAnswer(connection: Deno.Conn): Promise<{ text: string; hash: string }> {
  const { status, isWhole, body } = await readResponse(connection);
  assertEquals([status, isWhole], [200, true]);
  const events = wholeEvents(body);
  const blocks = events.filter(({ event }) => event === "block");
  return {
    text: blocks.map(({ data }) => data.text).join(""),
    hash: events.at(-1)!.data.text_sha256,
  };
}

Deno.test("bodies that dribble are 408 in time, and others are served meanwhile", async () => {
  await using server = await TestServer.start("--body-timeout-ms", "300");
  const headers = { ...JSON_TYPE, "Content-Length": "1000000", Connection: "close" };
  const head = requestText({ method: "POST", path: "/v1/blocks", headers });
  const connections = await Promise.all(
    Array.from({ length: 8 }, () => connectRaw(server.address, head + '{"prompt":"')),
  );
  let isOver = false;
  const dribble = async (connection: Deno.Conn) => {
    while (!isOver) {
      await sendRaw(connection, "a").catch(() => {}); // The server has closed it.
      // A byte with every answer that another client gets.
      assertEquals((await server.blocks({ prompt: "b", max_tokens: 1 })).text, "b");
    }
  };
  const dribbling = connections.map(dribble);
  try {
    for (const response of await Promise.all(connections.map(readResponse))) {
      assertEquals(response.status, 408);
      assertMatch(new TextDecoder().decode(response.body), /"request_timeout"/);
    }
  } finally {
    isOver = true;
    await Promise.all(dribbling);
    for (const each of connections) each.close();
  }
});

Deno.test(`a body comes in ${PIECES} pieces at most`, async () => {
  await using server = await TestServer.start("--test-step-ms", "0");
  const headers = { ...JSON_TYPE, "Transfer-Encoding": "chunked", Connection: "close" };
  const head = requestText({ method: "POST", path: "/v1/blocks", headers });
  const post = async (pieces: number) => {
    const json = '{"max_tokens":1,"stream":false}';
    const characters = json + " ".repeat(pieces - json.length);
    const body = Array.from(characters, (each) => `1\r\n${each}\r\n`).join("");
    using connection = await connectRaw(server.address, `${head}${body}0\r\n\r\n`);
    return (await readResponse(connection)).status;
  };
  assertEquals([await post(PIECES), await post(PIECES + 1)], [200, 413]);
});

/** Header blocks that contradict themselves, or are no HTTP at all. */
const MALFORMED = {
  "two ways to tell the length":
    "POST /v1/blocks HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
  "two lengths": "POST /v1/blocks HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
  "a negative length": "POST /v1/blocks HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}",
  "a length that is no number": "POST /v1/blocks HTTP/1.1\r\nContent-Length: two\r\n\r\n{}",
  "a length beyond 64 bits": `POST /v1/blocks HTTP/1.1\r\nContent-Length: 1${
    "0".repeat(20)
  }\r\n\r\n`,
  "an encoding after the chunks":
    "POST /v1/blocks HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
  "a NUL in the path": "GET /health\0 HTTP/1.1\r\n\r\n",
  "a thousand headers": `GET /health HTTP/1.1\r\n${"X-A: b\r\n".repeat(1000)}\r\n`,
  "no HTTP": "hello\r\n\r\n",
  "the beginning of TLS": "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
};

Deno.test("what HTTP itself forbids is 400 or 431 and ends the connection, no more", async (t) => {
  await using server = await TestServer.start();
  for (const [name, text] of Object.entries(MALFORMED)) {
    await t.step(name, async () => {
      using connection = await connectRaw(server.address, text);
      const { status, body } = parseResponse(await readRaw(connection, () => false));
      assert(status === 400 || status === 431, `the status is ${status}`);
      assertEquals(body.length, 0);
    });
  }
  await t.step("a body shorter than its length, then nothing", async () => {
    const headers = { ...JSON_TYPE, "Content-Length": "100" };
    const text = requestText({ method: "POST", path: "/v1/blocks", headers }) + "{}";
    for (let i = 0; i < 20; i++) (await connectRaw(server.address, text)).close();
  });
  await t.step("all is well all the same", async () => {
    assertEquals((await server.blocks({ prompt: "ok", max_tokens: 2 })).text, "ok");
  });
});
