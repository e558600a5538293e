import { assertEquals } from "@std/assert";
import { KeyFile } from "../support/key_file.ts";
import { exchange, type RawRequest, type RawResponse, textOf } from "../support/raw_connection.ts";
import { TestServer } from "../support/test_server.ts";

const FIRST = "sk-first";
const LONGEST = "~!".repeat(128);
const KEYS = `
# Keys of the tests.
${FIRST} # sk-comment
  ${LONGEST}\t
#sk-off
`;

function ask(
  server: TestServer,
  authorization: string | null,
  { target = "/v1/models", headers = [], ...request }: Partial<RawRequest> = {},
): Promise<RawResponse> {
  const key = authorization === null ? [] : [["Authorization", authorization] as const];
  return exchange(server.address, { target, headers: [...key, ...headers], ...request });
}

/** Everything that a refusal tells, but for what names the request. */
function told({ status, headers, body }: RawResponse): unknown {
  const fields = Object.fromEntries(headers);
  const { date: _, "x-request-id": __, ...rest } = fields;
  return [status, rest, textOf(body)];
}

Deno.test("keys open the API, and nothing else does", async (t) => {
  using keys = new KeyFile(KEYS);
  await using server = await TestServer.startIn(
    { BD_API_KEYS: "sk-env, sk-other-env" },
    ...["--api-key-file", keys.path, "--fault-injection"],
  );

  for (
    const [authorization, expected] of [
      [`Bearer ${FIRST}`, 200],
      [`bearer ${FIRST}`, 200],
      [`BEARER ${FIRST}`, 200],
      [`Bearer ${LONGEST}`, 200],
      ["Bearer sk-env", 200],
      ["Bearer sk-other-env", 200],
      [null, "missing_api_key"],
      ["Bearer sk-comment", "invalid_api_key"],
      ["Bearer #sk-off", "invalid_api_key"],
      ["Bearer sk-off", "invalid_api_key"],
      ["Bearer sk-env, sk-other-env", "invalid_api_key"],
      ["Bearer #", "invalid_api_key"],
      [`Bearer ${FIRST.toUpperCase()}`, "invalid_api_key"],
      [`Bearer ${FIRST.slice(0, -1)}`, "invalid_api_key"],
      [`Bearer ${FIRST}x`, "invalid_api_key"],
      [`Bearer ${LONGEST}x`, "invalid_api_key"],
      [`Bearer ${FIRST} ${LONGEST}`, "invalid_api_key"],
      [`Bearer ${FIRST},${LONGEST}`, "invalid_api_key"],
      [`Bearer "${FIRST}"`, "invalid_api_key"],
      ["Bearer", "invalid_api_key"],
      ["", "invalid_api_key"],
      [FIRST, "invalid_api_key"],
      [`Basic ${btoa(`:${FIRST}`)}`, "invalid_api_key"],
      [`Token ${FIRST}`, "invalid_api_key"],
    ] as const
  ) {
    await t.step(`${authorization?.slice(0, 40)} is ${expected}`, async () => {
      const response = await ask(server, authorization);
      if (expected === 200) return assertEquals(response.status, 200);
      const { error } = JSON.parse(textOf(response.body));
      assertEquals(
        [response.status, error.type, error.code, response.headers.get("www-authenticate")],
        [401, "authentication_error", expected, "Bearer"],
      );
    });
  }

  await t.step("a key is taken from one header and nowhere else", async () => {
    const header = ["Authorization", `Bearer ${FIRST}`] as const;
    const responses = [
      await ask(server, `Bearer ${FIRST}`, { headers: [header] }),
      await ask(server, null, { target: `/v1/models?api_key=${FIRST}&authorization=${FIRST}` }),
      await ask(server, null, { headers: [["X-Api-Key", FIRST], ["Api-Key", FIRST]] }),
      await ask(server, null, { headers: [["Cookie", `Authorization=Bearer ${FIRST}`]] }),
    ];
    assertEquals(responses.map(({ status }) => status), [401, 401, 401, 401]);
  });

  // With the key these are what the second number says.
  const json = [["Content-Type", "application/json"]] as const;
  for (
    const [method, target, status, body] of [
      ["GET", "/v1/models", 200],
      ["GET", "/v1/models/test-copy", 200],
      ["GET", "/v1/models/x", 404],
      ["POST", "/v1/blocks", 200, '{"max_tokens":1}'],
      ["POST", "/v1/blocks", 400, "{"],
      ["GET", "/v1/blocks?max_tokens=1", 200],
      ["GET", "/v1/blocks/blk_0000000000000000000000", 404],
      ["DELETE", "/v1/blocks/blk_0000000000000000000000", 404],
      ["POST", "/v1/completions", 400, "{}"],
      ["POST", "/v1/chat/completions", 400, "{}"],
      ["POST", "/tokenize", 400, "{}"],
      ["POST", "/detokenize", 400, "{}"],
      ["GET", "/metrics", 200],
      ["GET", "/openapi.json", 200],
      ["POST", "/debug/faults", 400, "{}"],
      ["PUT", "/v1/models", 405],
      ["BREW", "/v1/models", 405],
      ["GET", "/nowhere", 404],
      ["GET", `/${"x".repeat(9000)}`, 414],
      // There is no second spelling of a path, of one that needs no key least of all.
      ["GET", "//v1/models", 404],
      ["GET", "/v1//models", 404],
      ["GET", "/v1/models/", 404],
      ["GET", "/V1/Models", 404],
      ["GET", "/%761/models", 404],
      ["GET", "/v1%2fmodels", 404],
      ["GET", "/./v1/models", 404],
      ["GET", "/health/../v1/models", 404],
      ["GET", "/health/", 404],
      ["GET", "/health/x", 404],
      ["GET", "//health", 404],
      ["GET", "/Health", 404],
      ["GET", "/%68ealth", 404],
      ["GET", "/v1/models#/health", 404],
      ["GET", "/v1/models;/health", 404],
      ["GET", "http://localhost/v1/models", 200],
      ["GET", "http://localhost/health/", 404],
    ] as const
  ) {
    await t.step(`${method} ${target.slice(0, 50)} needs a key`, async () => {
      const request = { method, target, headers: json, ...(body !== undefined && { body }) };
      assertEquals((await ask(server, `Bearer ${FIRST}`, request)).status, status);
      // Whatever there is, a request without a key learns the same.
      assertEquals(told(await ask(server, null, request)), told(await ask(server, null)));
      const wrong = "Bearer wrong";
      assertEquals(told(await ask(server, wrong, request)), told(await ask(server, wrong)));
    });
  }

  await t.step("HEAD /v1/models needs one too", async () => {
    assertEquals((await server.get("/v1/models", { method: "HEAD" })).status, 401);
  });

  for (const target of ["/health", "/ready", "/health?x=1"]) {
    await t.step(`${target} needs none, and minds no wrong one`, async () => {
      const responses = [await ask(server, null, { target }), await ask(server, "x", { target })];
      assertEquals(responses.map(({ status }) => status), [200, 200]);
    });
  }

  await t.step("a generation is its key's own", async () => {
    const first = await ask(server, `Bearer ${FIRST}`, { target: "/v1/blocks?max_tokens=1" });
    const id = /blk_[A-Za-z0-9_-]+/.exec(textOf(first.body))?.[0];
    const target = `/v1/blocks/${id}`;
    assertEquals((await ask(server, `Bearer ${LONGEST}`, { target })).status, 404);
    const method = "DELETE";
    assertEquals((await ask(server, `Bearer ${LONGEST}`, { target, method })).status, 404);
    assertEquals((await ask(server, `Bearer ${FIRST}`, { target })).body, first.body);
  });
});
