import { assertEquals } from "@std/assert";
import { errorOf, testApp } from "./support.ts";

const apiKeys = ["first-key", "second~key!"];

Deno.test("each configured key opens the API, whatever the scheme's case", async () => {
  const { send } = testApp({ settings: { apiKeys } });
  for (const value of ["Bearer first-key", "bearer second~key!", "BEARER   first-key"]) {
    const response = await send("/v1/models", { headers: { authorization: value } });
    assertEquals(response.status, 200);
    await response.body?.cancel();
  }
});

Deno.test("without a valid key every path is 401, unknown ones included", async () => {
  const { send } = testApp({ settings: { apiKeys } });
  const paths = ["/v1/models", "/v1/blocks", "/nowhere", "//health", "/health/", "/%68ealth"];
  for (const path of [...paths, `/v1/models?${"x".repeat(9000)}`]) {
    const response = await send(path);
    assertEquals(response.status, 401);
    assertEquals(response.headers.get("www-authenticate"), "Bearer");
    const { type, code } = await errorOf(response);
    assertEquals([type, code], ["authentication_error", "missing_api_key"]);
  }
});

Deno.test("anything but a valid bearer key is invalid_api_key", async () => {
  const { send } = testApp({ settings: { apiKeys } });
  for (
    const authorization of [
      "Bearer wrong",
      "Bearer first-ke",
      "Bearer first-keyy",
      "Bearer",
      "Basic first-key",
      "first-key",
      "Bearer first-key second~key!",
      "Bearer first-key, Bearer first-key",
      `Bearer ${"x".repeat(257)}`,
    ]
  ) {
    const response = await send("/v1/models", { headers: { authorization } });
    assertEquals(response.status, 401);
    assertEquals((await errorOf(response)).code, "invalid_api_key");
  }
});

Deno.test("liveness, readiness and the page need no key", async () => {
  const { send } = testApp({ settings: { apiKeys } });
  const statuses = await Promise.all(
    ["/health", "/ready", "/"].map(async (path) => (await send(path)).status),
  );
  assertEquals(statuses, [200, 200, 200]);
});

Deno.test("no response and no log line has the key", async () => {
  const { send, logLines } = testApp({ settings: { apiKeys } });
  const response = await send("/v1/nowhere", { headers: { authorization: "Bearer first-key" } });
  const seen = [await response.text(), ...[...response.headers].flat(), ...logLines].join();
  assertEquals(seen.includes("first-key"), false);
});
