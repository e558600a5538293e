import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseEvent } from "../support/event_stream.ts";
import {
  encodeRequest,
  RawConnection,
  type RawResponse,
  textOf,
} from "../support/raw_connection.ts";
import { TestServer } from "../support/test_server.ts";

// Section 6.2 of the contract, byte by byte, and what section 5.4 says of OpenAI's streams.

const RETRY = "retry: 2000";
const KEEPALIVE = ": keep-alive";
/** A step takes longer than the silence after which a comment is sent. */
const FLAGS = ["--test-step-ms", "60", "--keepalive-ms", "20", "--max-concurrent", "1"];

function encodePost(target: string, body: object): Uint8Array {
  // Browsers send such an Accept-Encoding with everything.
  const headers = [["Content-Type", "application/json"], ["Accept-Encoding", "gzip, br"]] as const;
  return encodeRequest({ method: "POST", target, headers, body: JSON.stringify(body) });
}

async function post(server: TestServer, target: string, body: object): Promise<RawResponse> {
  using connection = await RawConnection.open(server.address);
  await connection.send(encodePost(target, body));
  const response = await connection.response();
  // If anything followed the stream, it would come before the answer to what is asked next.
  await connection.send(encodeRequest({ target: "/health" }));
  assertEquals(textOf((await connection.response()).body), '{"status":"ok"}');
  return response;
}

/** The parts of a stream, each of which ends with an empty line; comments apart. */
function partsOf({ body }: RawResponse): { events: string[]; comments: number } {
  const text = textOf(body);
  assert(!/[\r\ufeff]|\n\n\n/.test(text), text);
  const [retry, ...parts] = text.split("\n\n");
  assertEquals([retry, parts.pop()], [RETRY, ""]);
  const events = parts.filter((part) => part !== KEEPALIVE);
  return { events, comments: parts.length - events.length };
}

function assertStreamHeaders({ head, headers }: RawResponse): void {
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n/);
  const names = ["content-type", "cache-control", "x-accel-buffering", "x-content-type-options"];
  assertEquals(names.map((name) => headers.get(name)), [
    "text/event-stream; charset=utf-8",
    "no-store, no-transform",
    "no",
    "nosniff",
  ]);
  assertEquals([headers.get("content-length"), headers.get("content-encoding")], [null, null]);
  assertMatch(headers.get("x-request-id") ?? "", /^req_[A-Za-z0-9_-]{22,}$/);
}

Deno.test("streams are framed to the byte", async (t) => {
  await using server = await TestServer.start(...FLAGS, "--fault-injection");

  await t.step(
    "blocks: named events with ids, comments in silence, nothing after done",
    async () => {
      const request = { prompt: "ab\u2028\n\r", max_tokens: 4, block_size: 2, trace: true };
      const response = await post(server, "/v1/blocks", request);
      assertStreamHeaders(response);
      const { events, comments } = partsOf(response);
      assert(comments > 0, "there is no comment");
      const parsed = events.map(parseEvent);
      assertEquals(parsed.map(({ event }) => event), [
        ...["start", "step", "step", "block", "step", "step", "block", "done"],
      ]);
      const generation = parsed[0]!.data.id;
      const ids = parsed.flatMap(({ event, id }) => event === "step" ? [] : [id]);
      assertEquals(ids, [0, 1, 2, 3].map((number) => `${generation}.${number}`));
      assert(parsed.every(({ event, id }) => event !== "step" || id === null), "a step has an id");
    },
  );

  await t.step("blocks: an error is the last event, and takes the next id", async () => {
    using connection = await RawConnection.open(server.address);
    await connection.send(encodePost("/v1/blocks", { prompt: "ab", max_tokens: 100 }));
    await (await server.post("/debug/faults", { fault: "forward_error" })).body?.cancel();
    const { events } = partsOf(await connection.response());
    const parsed = events.map(parseEvent);
    const last = parsed.at(-1)!;
    assertEquals([last.event, last.id], ["error", `${parsed[0]!.data.id}.${parsed.length - 1}`]);
    assertEquals(Object.keys(last.data.error), ["message", "type", "param", "code"]);
  });

  for (
    const [target, fields] of [
      ["/v1/completions", { prompt: "ab" }],
      ["/v1/chat/completions", { messages: [{ role: "user", content: "ab" }] }],
    ] as const
  ) {
    const request = { model: "test-copy", stream: true, block_size: 2, ...fields };

    await t.step(`${target}: lines of data alone, and [DONE] at the end`, async () => {
      const response = await post(server, target, { ...request, max_tokens: 3 });
      assertStreamHeaders(response);
      const { events, comments } = partsOf(response);
      assert(comments > 0, "there is no comment");
      assertEquals(events.pop(), "data: [DONE]");
      for (const event of events) {
        assertMatch(event, /^data: \{.*\}$/);
        JSON.parse(event.slice(6));
      }
    });

    await t.step(`${target}: an error is the last line, without [DONE]`, async () => {
      using connection = await RawConnection.open(server.address);
      await connection.send(encodePost(target, { ...request, max_tokens: 100 }));
      await (await server.post("/debug/faults", { fault: "forward_error" })).body?.cancel();
      const response = await connection.response();
      const { error } = JSON.parse(partsOf(response).events.at(-1)!.slice(6));
      assertEquals([error.type, error.code], ["server_error", "internal_error"]);
      assert(!textOf(response.body).includes("[DONE]"), "a broken answer ends like a whole one");
    });
  }

  await t.step("a stream that has to wait begins at once, and is kept alive", async () => {
    using first = await RawConnection.open(server.address);
    await first.send(encodePost("/v1/blocks", { prompt: "ab", max_tokens: 1000, resume_ms: 0 }));
    await first.readTo("event: start");
    using second = await RawConnection.open(server.address);
    await second.send(encodePost("/v1/blocks", { prompt: "cd", max_tokens: 1 }));
    await second.readTo(`${RETRY}\n\n`);
    const { data } = parseEvent(textOf(await second.readTo("\n\n")).replace(/^\r\n.*\r\n/, ""));
    assertEquals([data.object, data.queue_position], ["blocks.start", 0]);
    await second.readTo(KEEPALIVE);
    await second.readTo(KEEPALIVE);
    await first.closeWrite();
    await second.readTo("event: done");
  });

  await t.step("HTTP/1.0 gets the same without chunks, and the end of the connection", async () => {
    using connection = await RawConnection.open(server.address);
    const target = "/v1/blocks?prompt=ab&max_tokens=2";
    await connection.send(`GET ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
    const [head = "", ...parts] = textOf(await connection.rest()).split("\n\n");
    assertMatch(head, /^HTTP\/1\.0 200 OK\r\n[^]*\r\n\r\nretry: 2000$/);
    const events = parts.slice(0, -1).filter((part) => part !== KEEPALIVE).map(parseEvent);
    assertEquals(events.map(({ event }) => event), ["start", "block", "done"]);
    assertEquals(parts.at(-1), "");
  });
});

Deno.test("HEAD tells the length of the body that it leaves out", async () => {
  await using server = await TestServer.start();
  for (const path of ["/v1/models", "/openapi.json", "/", "/nowhere"]) {
    const { byteLength } = await (await fetch(server.address + path)).bytes();
    const { headers } = await fetch(server.address + path, { method: "HEAD" });
    assertEquals([path, headers.get("content-length")], [path, String(byteLength)]);
  }
});
