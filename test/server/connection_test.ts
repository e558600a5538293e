import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ServerSettings } from "../../src/server/settings.ts";
import type { Script } from "../support/scripted_engine.ts";
import { parseEvents, type TestApp, testApp } from "./support.ts";

// What depends on connections: an app behind a real socket.

const encoder = new TextEncoder();

interface LiveApp extends TestApp, AsyncDisposable {
  readonly port: number;
}

function serve(options: { script?: Script; settings?: Partial<ServerSettings> } = {}): LiveApp {
  const test = testApp(options);
  // A stream that is given up is an error to the runtime, which would print it.
  const onError = () => new Response(null, { status: 500 });
  const address = { port: 0, hostname: "127.0.0.1", onListen() {}, onError };
  const server = Deno.serve(address, test.app.fetch);
  const { port } = server.addr;
  return { ...test, port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Sends `text` as it is. */
async function open(port: number, text: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  await connection.write(encoder.encode(text));
  return connection;
}

function head(target: string, headers: string): string {
  return `${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}\r\n`;
}

function post(body: object): string {
  const json = JSON.stringify(body);
  return head("POST /v1/blocks", `Content-Length: ${json.length}\r\n`) + json;
}

/** Reads until `part` has come, or the end. */
async function readUntil(connection: Deno.Conn, part: string): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.includes(part)) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

/** Resolves when the engine reaches its first step, at which it then stays. */
function stuck(): { script: Script; reached: Promise<void> } {
  const reached = Promise.withResolvers<void>();
  const beforeStep = () => {
    reached.resolve();
    return new Promise<void>(() => {});
  };
  return { script: { beforeStep }, reached: reached.promise };
}

Deno.test("blocks arrive one by one while the engine works on the next", async () => {
  let open = Promise.withResolvers<void>();
  const script = { beforeStep: (step: number) => step % 4 === 0 ? open.promise : undefined };
  await using live = serve({ script });
  const url = `http://127.0.0.1:${live.port}/v1/blocks?prompt=abcdefgh&max_tokens=8&resume_ms=0`;
  const response = await fetch(url);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const readTo = async (part: string) => {
    while (!text.includes(part)) text += (await reader.read()).value ?? "<end>";
  };
  await readTo("event: start");
  for (const part of ['"text":"abcd"', '"text":"efgh"']) {
    const gate = open;
    open = Promise.withResolvers();
    gate.resolve();
    await readTo(part);
  }
  await readTo("event: done");
  await reader.read();
  assertEquals(live.engine.cancelled, 0);
});

Deno.test("a client that leaves its stream cancels the generation", async () => {
  const { script, reached } = stuck();
  await using live = serve({ script });
  using connection = await open(live.port, post({ resume_ms: 0 }));
  assertStringIncludes(await readUntil(connection, "event: start"), "HTTP/1.1 200");
  await reached;
  connection.close();
  await live.engine.idle;
  assertEquals(live.engine.cancelled, 1);
});

Deno.test("a client that closes its sending side counts as gone", async () => {
  const { script, reached } = stuck();
  await using live = serve({ script });
  using connection = await open(live.port, post({ resume_ms: 0 }));
  await reached;
  await connection.closeWrite();
  await live.engine.idle;
  assertEquals(live.engine.cancelled, 1);
});

Deno.test("a client that leaves before its whole answer cancels the generation", async () => {
  const { script, reached } = stuck();
  await using live = serve({ script });
  using connection = await open(live.port, post({ stream: false }));
  await reached;
  connection.close();
  await live.engine.idle;
  assertEquals(live.engine.cancelled, 1);
});

Deno.test("a client that leaves the queue gives up its place", async () => {
  const { script, reached } = stuck();
  await using live = serve({ script: { ...script, maxConcurrent: 1 } });
  using first = await open(live.port, post({ resume_ms: 0 }));
  await reached;
  using second = await open(live.port, post({ resume_ms: 0 }));
  await readUntil(second, "event: start");
  second.close();
  first.close();
  await live.engine.idle;
  assertEquals(live.engine.cancelled, 2);
});

Deno.test("an answer that was sent cancels nothing", async () => {
  await using live = serve();
  for (const stream of [true, false]) {
    const response = await fetch(`http://127.0.0.1:${live.port}/v1/blocks?stream=${stream}`);
    assertStringIncludes(await response.text(), '"finish_reason":"length"');
  }
  assertEquals(live.engine.cancelled, 0);
});

Deno.test("a slow reader neither slows its generation nor loses a block", async () => {
  await using live = serve({ settings: { maxOutputTokens: 50_000 } });
  const body = { prompt: "ab", overflow: "slide", max_tokens: 50_000, block_size: 1 };
  const request = { method: "POST", headers: { "content-type": "application/json" } };
  const response = await fetch(`http://127.0.0.1:${live.port}/v1/blocks`, {
    ...request,
    body: JSON.stringify(body),
  });
  await live.engine.idle;
  const events = parseEvents(await response.text());
  assertEquals(events.length, 50_002);
  assertEquals(events.at(-1)!.data.usage.completion_tokens, 50_000);
});

Deno.test("a reader that takes nothing is closed", async () => {
  const options = { writeTimeoutMs: 50, maxOutputTokens: 300_000, requestTimeoutMs: 60_000 };
  // A turn of the event loop now and then, as a real engine gives it.
  const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
  const beforeStep = (step: number) => step % 500 === 499 ? turn() : undefined;
  await using live = serve({ settings: options, script: { beforeStep } });
  const length = { overflow: "slide", max_tokens: 300_000, block_size: 1 };
  using connection = await open(live.port, post({ prompt: "a", ...length, resume_ms: 0 }));
  await readUntil(connection, "event: start");
  await live.engine.idle;
  assertEquals(live.engine.cancelled, 1);
  const text = await readUntil(connection, "event: done");
  assertEquals(text.includes("event: done"), false);
});

Deno.test("a body in too many chunks is refused over the wire, too", async () => {
  await using live = serve();
  const chunks = "1\r\n \r\n".repeat(16_400);
  const text = head("POST /v1/blocks", "Transfer-Encoding: chunked\r\n") + `${chunks}0\r\n\r\n`;
  using connection = await open(live.port, text);
  const answer = await readUntil(connection, "}}");
  assertMatch(answer, /^HTTP\/1\.1 413 /);
  assertStringIncludes(answer, "request_too_large");
});

Deno.test("a body that stays away is 408, one that breaks off harms nobody", async () => {
  await using live = serve({ settings: { bodyTimeoutMs: 1 } });
  using slow = await open(live.port, head("POST /v1/blocks", "Content-Length: 10\r\n"));
  const answer = await readUntil(slow, "}}");
  assertMatch(answer, /^HTTP\/1\.1 408 /);
  assertMatch(answer, /\r\nConnection: close\r\n/i);
  using broken = await open(live.port, head("POST /v1/blocks", "Content-Length: 10\r\n"));
  broken.close();
  const health = await fetch(`http://127.0.0.1:${live.port}/health`);
  assertEquals(await health.json(), { status: "ok" });
});

// Request lines that no client library sends, and the status of their answers.
const ODD = [
  ["GET //v1/models", 404],
  ["GET /v1/../v1/models", 404],
  ["GET /%761/models", 404],
  ["GET /v1/models#x", 404],
  ["GET /v1/models/%ff%zz", 404],
  ["GET http://evil.example/v1/models", 200],
  ["OPTIONS *", 204],
  ["__proto__ /health", 405],
  ["CONNECT localhost:80", 405],
  ["get /health", 405],
] as const;

Deno.test("odd request lines get an answer of the contract", async () => {
  await using live = serve();
  for (const [target, status] of ODD) {
    using connection = await open(live.port, head(target, "Connection: close\r\n"));
    const answer = await readUntil(connection, "never");
    assertEquals([target, Number(answer.split(" ")[1])], [target, status]);
    assertMatch(answer, /\r\nX-Request-Id: req_/i);
  }
  const { port } = live;
  using without = await open(port, "GET /health HTTP/1.0\r\n\r\n");
  assertMatch(await readUntil(without, "never"), / 403 [^]*host_not_allowed/);
});
