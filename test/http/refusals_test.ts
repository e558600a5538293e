import { assertEquals, assertMatch } from "@std/assert";
import { runDeno } from "../support/process.ts";
import { TestServer } from "../support/test_server.ts";

Deno.test("the server refuses what it cannot do, and says why", async (t) => {
  await using server = await TestServer.start();

  for (
    const { method, path, status, code } of [
      { method: "GET", path: "/nowhere", status: 404, code: "route_not_found" },
      { method: "GET", path: "/v1/blocks/", status: 404, code: "route_not_found" },
      { method: "POST", path: "/debug/faults", status: 404, code: "route_not_found" },
      { method: "GET", path: "/v1/models/other", status: 404, code: "model_not_found" },
      { method: "PUT", path: "/v1/blocks", status: 405, code: "method_not_allowed" },
      { method: "POST", path: "/v1/models", status: 405, code: "method_not_allowed" },
      { method: "GET", path: "/v1/blocks?max_tokens=0", status: 400, code: "invalid_value" },
      { method: "GET", path: "/v1/blocks?colour=red", status: 400, code: "unknown_parameter" },
      { method: "POST", path: "/v1/blocks", status: 415, code: "unsupported_media_type" },
    ]
  ) {
    await t.step(`${method} ${path} is ${status} ${code}`, async () => {
      const response = await server.get(path, { method });
      const { error } = await response.json();
      assertEquals([response.status, error.code], [status, code]);
      assertEquals(Object.keys(error).sort(), ["code", "message", "param", "type"]);
      assertEquals(response.headers.has("allow"), status === 405);
    });
  }

  for (
    const [body, code] of [
      ["{", "invalid_json"],
      ["[]", "invalid_json"],
      ['{"prompt":1}', "invalid_type"],
      ['{"prompt":"\\ud800"}', "invalid_unicode"],
      ['{"prompt":[258]}', "token_out_of_range"],
      ['{"max_tokens":4097}', "invalid_value"],
      ['{"prompt":[1,2,3],"max_tokens":4096}', "context_length_exceeded"],
      ['{"block_size":3}', "invalid_value"],
      ['{"steps":4}', "incompatible_parameters"],
      ['{"model":"other"}', "model_not_found"],
    ] as const
  ) {
    await t.step(`POST /v1/blocks of ${body} is ${code}`, async () => {
      const response = await server.post("/v1/blocks", null, { body });
      assertEquals((await response.json()).error.code, code);
      assertEquals(response.status, code === "model_not_found" ? 404 : 400);
    });
  }

  await t.step("it is well all the same", async () => {
    assertEquals(await (await server.get("/health")).json(), { status: "ok" });
    assertEquals(await (await server.get("/ready")).json(), { status: "ready" });
    const { text } = await server.blocks({ prompt: "ok", max_tokens: 2 });
    assertEquals(text, "ok");
  });
});

Deno.test("the server needs a key where one is configured", async () => {
  const keyFile = await Deno.makeTempFile({ prefix: "blockdiffusion-" });
  try {
    await Deno.writeTextFile(keyFile, "secret # of the tests\n");
    await using server = await TestServer.start("--fault-injection", "--api-key-file", keyFile);
    const headers = { authorization: "Bearer secret", "content-type": "application/json" };
    const request = { max_tokens: 1, stream: false };
    const responses = [
      await server.post("/v1/blocks", request),
      await server.post("/v1/blocks", request, { headers }),
      await server.post("/debug/faults", { fault: "forward_error" }),
      await server.get("/ready"),
    ];
    assertEquals(responses.map(({ status }) => status), [401, 200, 401, 200]);
    await Promise.all(responses.map(({ body }) => body?.cancel()));
  } finally {
    await Deno.remove(keyFile);
  }
});

for (
  const args of [
    ["test/support/server.ts", "--test-models"],
    ["test/support/server.ts", "--test-model", "--test-step-ms", "soon"],
    ["main.ts", "serve", "--test-model"],
    ["main.ts", "serve", "--fault-injection"],
  ]
) {
  Deno.test(`${args.join(" ")} is refused with status 2`, async () => {
    const { status, stderr } = await runDeno(["run", "--allow-all", "--frozen", ...args]);
    assertEquals(status, 2);
    assertMatch(stderr, /^Cannot /);
  });
}
