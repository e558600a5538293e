import { assertEquals } from "@std/assert";
import { errorOf, testApp } from "./support.ts";

const FRIEND = "https://friend.example";

async function codeOf(response: Response): Promise<string> {
  return response.status === 200
    ? (await response.body?.cancel(), "ok")
    : (await errorOf(response)).code;
}

Deno.test("a server on a loopback address takes only loopback and allowed hosts", async () => {
  const { send } = testApp({ settings: { allowedHost: ["box.local", "other.local:81"] } });
  const host = async (host: string) => await codeOf(await send("/health", { headers: { host } }));
  for (
    const good of [
      "localhost",
      "LOCALHOST:1",
      "127.0.0.1:8000",
      "[::1]:8000",
      "[::1]",
      "box.local:9",
      "other.local:81",
    ]
  ) {
    assertEquals([good, await host(good)], [good, "ok"]);
  }
  for (
    const bad of [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.evil.example:8000",
      "other.local:82",
      "localhost:",
      "localhost:8000:1",
      "::1",
      "127.0.0.2",
      "",
    ]
  ) {
    assertEquals([bad, await host(bad)], [bad, "host_not_allowed"]);
  }
});

Deno.test("a request without a Host is refused on a loopback address", async () => {
  const { app } = testApp();
  assertEquals(await codeOf(await app.request("/health")), "host_not_allowed");
});

Deno.test("a server on another address takes every host", async () => {
  const { send } = testApp({ settings: { host: "0.0.0.0" } });
  assertEquals(await codeOf(await send("/health", { headers: { host: "any.example" } })), "ok");
});

Deno.test("origins must be the same or listed", async () => {
  const { send } = testApp({ settings: { corsOrigin: [FRIEND] } });
  const from = async (headers: Record<string, string>) =>
    await codeOf(await send("/v1/models", { headers }));
  assertEquals(await from({ origin: FRIEND }), "ok");
  assertEquals(await from({ origin: "http://localhost:8000" }), "ok");
  assertEquals(
    await from({ origin: "https://tls.example", "sec-fetch-site": "same-origin" }),
    "ok",
  );
  for (
    const origin of [
      "http://localhost:8001",
      "http://localhost",
      "https://localhost:8000",
      "https://friend.example.evil",
      "https://FRIEND.example",
      "http://friend.example",
      "null",
      "",
    ]
  ) {
    assertEquals([origin, await from({ origin })], [origin, "origin_not_allowed"]);
  }
});

Deno.test("`*` means every origin but null, and null must be listed", async () => {
  const all = testApp({ settings: { corsOrigin: ["*"] } });
  const any = await all.send("/health", { headers: { origin: "https://any.example" } });
  assertEquals(any.headers.get("access-control-allow-origin"), "*");
  assertEquals(await codeOf(any), "ok");
  const headers = { origin: "null" };
  assertEquals(await codeOf(await all.send("/health", { headers })), "origin_not_allowed");
  const listed = testApp({ settings: { corsOrigin: ["null"] } });
  assertEquals(await codeOf(await listed.send("/health", { headers })), "ok");
});

Deno.test("cross-site requests without an origin pass only as plain navigation", async () => {
  const { send } = testApp();
  const get = async (path: string, headers: Record<string, string> = {}) =>
    (await send(path, { headers: { "sec-fetch-site": "cross-site", ...headers } })).status;
  assertEquals(await get("/health"), 200);
  assertEquals(await get("/ready", { "sec-fetch-mode": "navigate" }), 200);
  assertEquals(await get("/", { "sec-fetch-mode": "navigate" }), 200);
  assertEquals(await get("/", { "sec-fetch-mode": "no-cors" }), 403);
  assertEquals(await get("/health", { "sec-fetch-mode": "no-cors" }), 403);
  assertEquals(await get("/v1/blocks?prompt=a"), 403);
  assertEquals(await get("/v1/models", { "sec-fetch-mode": "navigate" }), 403);
});

Deno.test("a preflight is answered without a key and names what may be sent", async () => {
  const { send } = testApp({ settings: { corsOrigin: [FRIEND], apiKeys: ["k"] } });
  const response = await send("/v1/blocks", {
    method: "OPTIONS",
    headers: {
      origin: FRIEND,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization, x-stainless-os,bad name, last-event-id",
    },
  });
  assertEquals(response.status, 204);
  assertEquals(response.headers.get("access-control-allow-origin"), FRIEND);
  assertEquals(response.headers.get("vary"), "Origin");
  assertEquals(
    response.headers.get("access-control-allow-methods"),
    "GET, POST, DELETE, OPTIONS",
  );
  assertEquals(
    response.headers.get("access-control-allow-headers"),
    "authorization, x-stainless-os, last-event-id",
  );
  assertEquals(response.headers.get("access-control-max-age"), "600");
  assertEquals(response.headers.has("access-control-allow-credentials"), false);
  assertEquals(await response.text(), "");
});

Deno.test("a preflight from a foreign origin is refused", async () => {
  const { send } = testApp({ settings: { corsOrigin: [FRIEND] } });
  const response = await send("/v1/blocks", {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  assertEquals(response.status, 403);
  assertEquals(response.headers.has("access-control-allow-origin"), false);
  await response.body?.cancel();
});

Deno.test("an allowed origin may read every response, errors and streams included", async () => {
  const { send } = testApp({ settings: { corsOrigin: [FRIEND], apiKeys: ["k"] } });
  const key = { authorization: "Bearer k" };
  for (
    const [path, headers, status] of [
      ["/health", {}, 200],
      ["/v1/models", {}, 401],
      ["/nowhere", key, 404],
      ["/v1/blocks?max_tokens=0", key, 400],
      ["/v1/blocks?max_tokens=1", key, 200],
    ] as const
  ) {
    const response = await send(path, { headers: { origin: FRIEND, ...headers } });
    await response.body?.cancel();
    assertEquals(response.status, status);
    assertEquals(response.headers.get("access-control-allow-origin"), FRIEND);
    assertEquals(response.headers.get("vary"), "Origin");
    assertEquals(
      response.headers.get("access-control-expose-headers"),
      "X-Request-Id, Retry-After",
    );
  }
});

Deno.test("an allowed origin may read why its host is refused, a foreign one may not", async () => {
  const { send } = testApp({ settings: { corsOrigin: [FRIEND] } });
  for (const [origin, shared] of [[FRIEND, FRIEND], ["https://evil.example", null]] as const) {
    const response = await send("/health", { headers: { origin, host: "evil.example" } });
    assertEquals(response.headers.get("access-control-allow-origin"), shared);
    assertEquals(await codeOf(response), "host_not_allowed");
  }
});
