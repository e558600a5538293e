import { assert, assertEquals } from "@std/assert";
import { readEventStream } from "../support/event_stream.ts";
import { OpenStream, until } from "../support/open_stream.ts";
import { TestServer } from "../support/test_server.ts";

const ENDLESS = { prompt: "on and on, ", max_tokens: 4000, resume_ms: 0 };

async function codeOf(response: Response): Promise<string> {
  return (await response.json()).error.code;
}

Deno.test("a client that leaves frees its place, running or waiting", async () => {
  await using server = await TestServer.start("--max-concurrent", "1", "--max-queue", "1");
  const short = { prompt: "next", max_tokens: 4, stream: false };
  const running = await OpenStream.open(server, ENDLESS);
  const waiting = new AbortController();
  const second = await server.post("/v1/blocks", ENDLESS, {
    headers: { "content-type": "application/json" },
    signal: waiting.signal,
  });
  assertEquals(second.status, 200);
  const third = await server.post("/v1/blocks", short);
  assertEquals([third.status, await codeOf(third)], [429, "queue_full"]);
  assert(Number(third.headers.get("retry-after")) >= 1, "Retry-After is missing");
  // The one that waits goes: its place in the queue is free, long before the first is through.
  waiting.abort();
  const start = performance.now();
  const queued = until(200, () => server.post("/v1/blocks", short));
  await running.leave();
  const { text, queue_position } = await (await queued).json();
  assertEquals([text, queue_position], ["next", 0]);
  // 4000 steps of 5 ms would have taken 20 s.
  assert(performance.now() - start < 5000, `it took ${performance.now() - start} ms`);
});

Deno.test("SIGTERM ends a server that has nothing to do, with status 0", async () => {
  await using server = await TestServer.start();
  server.signal("SIGTERM");
  assertEquals((await server.status).code, 0);
});

Deno.test("SIGTERM lets what runs finish and takes nothing new", async () => {
  await using server = await TestServer.start();
  const stream = await OpenStream.open(server, { prompt: "abc", max_tokens: 120 });
  server.signal("SIGTERM");
  const ready = await until(503, () => server.get("/ready"));
  assertEquals(await codeOf(ready), "draining");
  const refused = await server.post("/v1/blocks", ENDLESS);
  assertEquals([refused.status, await codeOf(refused)], [503, "draining"]);
  const health = await server.get("/health");
  assertEquals(await health.json(), { status: "ok" });
  const text = await stream.readToEnd();
  assert(text.includes('"completion_tokens":120'), `the stream ends with ${text.slice(-500)}`);
  assertEquals((await server.status).code, 0);
});

Deno.test("what is not done when the drain is over gets an error, and the status is 0", async () => {
  await using server = await TestServer.start("--drain-timeout-ms", "50");
  const stream = await OpenStream.open(server, ENDLESS);
  server.signal("SIGINT");
  const text = await stream.readToEnd();
  assert(/event: error\nid: .*\ndata: .*"draining".*\n\n$/.test(text), text.slice(-500));
  assertEquals((await server.status).code, 0);
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`a second ${signal} ends the server at once with status ${status}`, async () => {
    await using server = await TestServer.start();
    const stream = await OpenStream.open(server, ENDLESS);
    server.signal("SIGTERM");
    await (await until(503, () => server.get("/ready"))).body?.cancel();
    server.signal(signal);
    assertEquals((await server.status).code, status);
    await stream.readToEnd().catch(() => {}); // Cut off.
  });
}

Deno.test("faults hit whom they are meant for", async (t) => {
  await using server = await TestServer.start("--fault-injection");
  const order = async (fault: object) => {
    const response = await server.post("/debug/faults", fault);
    assertEquals([response.status, await response.text()], [204, ""]);
  };

  await t.step("a failed pass ends one stream with internal_error", async () => {
    const streams = [1, 2, 3].map((i) => server.blocks({ prompt: `${i}`, max_tokens: 60 }));
    await order({ fault: "forward_error" });
    const lasts = (await Promise.all(streams)).map(({ last }) => last);
    const failed = lasts.filter(({ event }) => event === "error");
    assertEquals(failed.map(({ data }) => data.error.code), ["internal_error"]);
    assertEquals(lasts.filter(({ event }) => event === "done").length, 2);
  });

  await t.step("a lost device ends all streams, until it is back", async () => {
    const streams = [
      await OpenStream.open(server, ENDLESS),
      await OpenStream.open(server, ENDLESS),
    ];
    await order({ fault: "device_lost", ms: 300 });
    const ready = await server.get("/ready");
    assertEquals([ready.status, await codeOf(ready)], [503, "device_lost"]);
    const refused = await server.post("/v1/blocks", ENDLESS);
    assertEquals([refused.status, await codeOf(refused)], [503, "device_lost"]);
    for (const stream of streams) {
      const text = await stream.readToEnd();
      assert(/event: error\nid: .*\ndata: .*"device_lost".*\n\n$/.test(text), text.slice(-500));
    }
    await (await until(200, () => server.get("/ready"))).body?.cancel();
    const { text } = await server.blocks({ prompt: "back", max_tokens: 4 });
    assertEquals(text, "back");
  });

  await t.step("other faults are refused", async () => {
    const response = await server.post("/debug/faults", { fault: "fire" });
    assertEquals([response.status, await codeOf(response)], [400, "invalid_value"]);
  });
});

Deno.test("a raw GET is answered block by block, and the end of the client ends it", async () => {
  await using server = await TestServer.start("--max-concurrent", "1");
  const { port } = new URL(server.address);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const head =
    `GET /v1/blocks?prompt=ab&max_tokens=4000&resume_ms=0 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.includes("event: block")) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`Cannot read on: the server closed after ${text}`);
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  assert(text.startsWith("HTTP/1.1 200 OK\r\n"), text.slice(0, 100));
  connection.close();
  const response = await server.post("/v1/blocks", { prompt: "next", max_tokens: 4 });
  const { last } = await readEventStream(response);
  assertEquals(last.event, "done");
  assert(last.data.timings.total_ms < 5000, `it took ${last.data.timings.total_ms} ms`);
});
