import { assertEquals, assertMatch } from "@std/assert";
import { errorOf, testApp } from "./support.ts";

Deno.test("every response names its request and forbids sniffing", async () => {
  const { send, post } = testApp();
  const responses = [
    await send("/health"),
    await send("/nowhere"),
    await send("/v1/models", { method: "PUT" }),
    await post("{"),
    await post({ max_tokens: 1 }),
    await send("/health", { headers: { host: "example.com" } }),
    await send("/v1/models", { method: "OPTIONS" }),
  ];
  assertEquals(responses.map(({ status }) => status), [200, 404, 405, 400, 200, 403, 204]);
  for (const response of responses) {
    assertMatch(response.headers.get("x-request-id") ?? "", /^req_[A-Za-z0-9_-]{22}$/);
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
    await response.body?.cancel();
  }
});

Deno.test("a usable X-Request-Id of the client is kept, any other replaced", async () => {
  const { send } = testApp();
  const echoed = async (id: string) => {
    const response = await send("/health", { headers: { "x-request-id": id } });
    return response.headers.get("x-request-id") === id;
  };
  assertEquals(await echoed("a.B-9_"), true);
  assertEquals(await echoed("x".repeat(128)), true);
  assertEquals(await echoed("x".repeat(129)), false);
  assertEquals(await echoed("a b"), false);
  assertEquals(await echoed("a/b"), false);
});

Deno.test("unknown paths and second spellings of paths are route_not_found", async () => {
  const { send } = testApp();
  const paths = [
    "/v1",
    "/v1/completions/",
    "/v1/scores",
    "/v1/blocks/blk_0123456789012345678901/",
    "/debug/faults",
    "//v1/models",
    "/v1/models/",
    "/V1/models",
    "/%761/models",
    "/%68ealth",
    "/health/",
  ];
  for (const path of paths) {
    const response = await send(path);
    assertEquals({ path, status: response.status }, { path, status: 404 });
    assertEquals((await errorOf(response)).code, "route_not_found");
  }
});

Deno.test("other methods are 405 with the allowed ones", async () => {
  const { send } = testApp();
  for (
    const [method, path, allow] of [
      ["POST", "/health", "GET, HEAD"],
      ["DELETE", "/v1/models", "GET, HEAD"],
      ["PATCH", "/v1/models/test-copy", "GET, HEAD"],
      ["PUT", "/v1/blocks", "GET, POST"],
      ["HEAD", "/v1/blocks", "GET, POST"],
    ] as const
  ) {
    const response = await send(path, { method });
    assertEquals(response.status, 405);
    assertEquals(response.headers.get("allow"), allow);
    if (method !== "HEAD") assertEquals((await errorOf(response)).code, "method_not_allowed");
  }
});

Deno.test("HEAD answers like GET without a body, whose length it tells", async () => {
  const { send } = testApp();
  for (const [path, status] of [["/v1/models", 200], ["/", 200], ["/nowhere", 404]] as const) {
    const { byteLength } = await (await send(path)).bytes();
    const response = await send(path, { method: "HEAD" });
    assertEquals(response.status, status);
    assertEquals(response.headers.get("content-length"), String(byteLength));
    assertEquals(await response.text(), "");
  }
});

Deno.test("a request target over 8192 bytes is 414", async () => {
  const { send } = testApp();
  const target = (bytes: number) => `/v1/models?${"x".repeat(bytes - "/v1/models?".length)}`;
  const most = await send(target(8192));
  assertEquals(most.status, 200);
  await most.body?.cancel();
  const response = await send(target(8193));
  assertEquals(response.status, 414);
  assertEquals((await errorOf(response)).code, "uri_too_long");
});

Deno.test("every request is one log line without text or keys", async () => {
  const { send, post, logLines } = testApp({ nowMs: () => 1_760_000_000_123 });
  await (await post({ prompt: "my secret", max_tokens: 1 })).text();
  await (await send("/v1/models/test-copy?key=my-secret")).text();
  await (await send("/my-secret")).text();
  const lines = logLines.map((line) => JSON.parse(line));
  assertEquals(lines.map(({ method, route, status }) => [method, route, status]), [
    ["POST", "/v1/blocks", 200],
    ["GET", "/v1/models/:id", 200],
    ["GET", null, 404],
  ]);
  assertEquals(Object.keys(lines[0]), [
    "time",
    "event",
    "method",
    "route",
    "status",
    "ms",
    "request_id",
  ]);
  assertEquals(lines[0].time, "2025-10-09T08:53:20.123Z");
  assertEquals(logLines.join().includes("secret"), false);
});

Deno.test("a bug is internal_error: the client gets its request id and nothing else", async () => {
  const { post, logLines } = testApp({ script: { refusal: new TypeError("at /etc/secret") } });
  const response = await post({ prompt: "x" });
  const id = response.headers.get("x-request-id");
  assertEquals(response.status, 500);
  assertEquals(await errorOf(response), {
    message: `The server made an error (request ${id})`,
    type: "server_error",
    param: null,
    code: "internal_error",
  });
  assertEquals(JSON.parse(logLines[0]!).error, "TypeError");
  assertEquals(logLines.join().includes("secret"), false);
});
