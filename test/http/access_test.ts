import { assert, assertEquals } from "@std/assert";
import OpenAI from "openai";
import { exchange, type RawRequest, type RawResponse, textOf } from "../support/raw_connection.ts";
import { TestServer } from "../support/test_server.ts";

// Hosts, origins and CORS as browsers see them, over a socket: `fetch` lets nobody choose a Host.

const PAGE = "https://page.example";
const EVIL = "https://evil.example";

type Fields = Readonly<Record<string, string>>;

/** What came of a request: the code of its refusal, or "ok". */
function outcome({ status, body }: RawResponse): string {
  return status < 300 ? "ok" : JSON.parse(textOf(body)).error.code;
}

function ask(
  server: TestServer,
  fields: Fields,
  { target = "/v1/models", ...request }: Partial<RawRequest> = {},
): Promise<RawResponse> {
  return exchange(server.address, { target, headers: Object.entries(fields), ...request });
}

/** How a browser says that a page of another site wants something. */
function crossSite(mode: string, destination: string): Fields {
  return { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination };
}

Deno.test("a server on the loopback interface knows its hosts and pages", async (t) => {
  await using server = await TestServer.start(
    ...["--cors-origin", PAGE, "--allowed-host", "api.example"],
  );
  const { port } = new URL(server.address);

  for (
    const [host, expected] of [
      [`127.0.0.1:${port}`, "ok"],
      ["localhost:1", "ok"],
      ["[::1]", "ok"],
      ["API.example:8443", "ok"],
      ["api.example.", "host_not_allowed"],
      ["evil.example", "host_not_allowed"],
      [`localhost.evil.example:${port}`, "host_not_allowed"],
      ["127.0.0.1@evil.example", "host_not_allowed"],
      ["[::ffff:127.0.0.1]", "host_not_allowed"],
      ["0.0.0.0", "host_not_allowed"],
      ["", "host_not_allowed"],
    ] as const
  ) {
    await t.step(`Host: ${host} is ${expected}`, async () => {
      for (const target of ["/health", "/v1/models", "/nowhere"]) {
        const got = outcome(await ask(server, { Host: host }, { target }));
        assertEquals([target, got], [
          target,
          expected === "ok" && target === "/nowhere" ? "route_not_found" : expected,
        ]);
      }
    });
  }

  for (
    const [fields, expected] of [
      [{ Origin: PAGE }, "ok"],
      [{ Origin: PAGE, "Sec-Fetch-Site": "cross-site" }, "ok"],
      [{ Origin: "http://localhost:5173", Host: "localhost:5173" }, "ok"],
      [{ Origin: "http://api.example", Host: "api.example" }, "ok"],
      [
        { Origin: "https://api.example", Host: "api.example", "Sec-Fetch-Site": "same-origin" },
        "ok",
      ],
      [{ "Sec-Fetch-Site": "same-origin" }, "ok"],
      [{ "Sec-Fetch-Site": "none" }, "ok"],
      [{ "Sec-Fetch-Site": "same-site" }, "ok"],
      [{ Origin: EVIL }, "origin_not_allowed"],
      [{ Origin: "null" }, "origin_not_allowed"],
      [{ Origin: "null", "Sec-Fetch-Site": "same-origin" }, "origin_not_allowed"],
      [{ Origin: "" }, "origin_not_allowed"],
      [{ Origin: "https://PAGE.example" }, "origin_not_allowed"],
      [{ Origin: `${PAGE}:443` }, "origin_not_allowed"],
      [{ Origin: `${PAGE}.evil.example` }, "origin_not_allowed"],
      [{ Origin: `${PAGE}, ${EVIL}` }, "origin_not_allowed"],
      [{ Origin: "http://page.example" }, "origin_not_allowed"],
      [{ Origin: "http://localhost:5174", Host: "localhost:5173" }, "origin_not_allowed"],
      [{ Origin: "https://api.example", Host: "api.example" }, "origin_not_allowed"],
      [crossSite("navigate", "document"), "origin_not_allowed"],
      [crossSite("no-cors", "image"), "origin_not_allowed"],
      [{ "Sec-Fetch-Site": "cross-site" }, "origin_not_allowed"],
    ] as [Fields, string][]
  ) {
    await t.step(`${JSON.stringify(fields)} is ${expected}`, async () => {
      const response = await ask(server, fields);
      assertEquals(outcome(response), expected);
      const isForeign = fields.Origin !== undefined && expected === "ok";
      const allowed = response.headers.get("access-control-allow-origin");
      assertEquals(allowed, isForeign ? fields.Origin : null);
      // Nothing is done for a page that is not allowed, and it does not even learn what there is.
      const post = { method: "POST", target: "/nowhere", body: "{" };
      assertEquals(
        outcome(await ask(server, fields, post)),
        expected === "ok" ? "route_not_found" : expected,
      );
    });
  }

  await t.step(
    "a link on a foreign page leads to /health and /ready, and nothing else does",
    async () => {
      for (const target of ["/health", "/ready"]) {
        const at = { target };
        const got = [
          await ask(server, crossSite("navigate", "document"), at),
          await ask(server, crossSite("no-cors", "image"), at),
          await ask(server, crossSite("cors", "empty"), at),
          await ask(server, crossSite("navigate", "document"), {
            target,
            method: "POST",
            body: "",
          }),
          await ask(server, { ...crossSite("navigate", "document"), Origin: EVIL }, at),
        ].map(outcome);
        assertEquals(got, ["ok", ...Array(4).fill("origin_not_allowed")]);
      }
    },
  );

  await t.step("an allowed page reads every response, errors included", async () => {
    const json = { "Content-Type": "application/json" };
    const post = (body: object) => ({
      method: "POST",
      target: "/v1/blocks",
      body: JSON.stringify(body),
    });
    for (
      const [fields, request, status] of [
        [{}, { target: "/v1/models" }, 200],
        [json, post({ max_tokens: 1 }), 200],
        [json, post({ max_tokens: 1, stream: false }), 200],
        [{}, { method: "DELETE", target: "/v1/blocks/blk_x" }, 404],
        [json, post({ max_tokens: 0 }), 400],
        [{}, { target: "/nowhere" }, 404],
        [{}, { target: `/${"x".repeat(9000)}` }, 414],
        [{}, { method: "PUT", target: "/v1/blocks" }, 405],
        [{}, post({}), 415],
      ] as const
    ) {
      const response = await ask(server, { Origin: PAGE, ...fields }, request);
      const names = ["allow-origin", "expose-headers", "allow-credentials"];
      assertEquals(
        [response.status, ...names.map((name) => response.headers.get(`access-control-${name}`))],
        [status, PAGE, "X-Request-Id, Retry-After", null],
      );
      assertEquals(response.headers.get("vary"), "Origin");
    }
  });

  await t.step("openai's client works in an allowed page: preflight, then request", async () => {
    const sent: Request[] = [];
    const client = new OpenAI({
      baseURL: `${server.address}/v1`,
      apiKey: "none",
      dangerouslyAllowBrowser: true,
      fetch: async (input, init) => {
        const request = new Request(input as string, { ...init, headers: init?.headers ?? {} });
        sent.push(request.clone());
        request.headers.set("Origin", PAGE);
        const response = await fetch(request);
        assertEquals(response.headers.get("access-control-allow-origin"), PAGE);
        return response;
      },
    });
    await client.completions.create({ model: "test-copy", prompt: "a", max_tokens: 1 });
    await client.models.list();
    for (const { method, url, headers } of sent) {
      const asked = [...headers.keys()].filter((name) => name !== "accept").toSorted();
      const response = await preflight(server, {
        target: new URL(url).pathname,
        method,
        asked: asked.join(","),
      });
      const allowed = response.headers.get("access-control-allow-headers")?.split(/, */);
      assertEquals(allowed, asked);
      assert(asked.length > 8, `it sends only ${asked}`);
    }
  });

  await t.step("a preflight needs no route, and leaves out what is no field name", async () => {
    const asked = "Authorization, x y, X-Good , , x:y, \u00e9, last-event-id, __proto__";
    const { headers } = await preflight(server, { target: "/nowhere", method: "DELETE", asked });
    const allowed = headers.get("access-control-allow-headers");
    assertEquals(allowed, "Authorization, X-Good, last-event-id, __proto__");
    const none = await preflight(server, { target: "/v1/models", method: "GET", asked: "" });
    assertEquals(none.headers.get("access-control-allow-headers"), null);
    const evil = { Origin: EVIL, "Access-Control-Request-Method": "POST" };
    const refused = await ask(server, evil, { method: "OPTIONS" });
    assertEquals([refused.status, outcome(refused)], [403, "origin_not_allowed"]);
    assertEquals(refused.headers.get("access-control-allow-origin"), null);
  });
});

async function preflight(
  server: TestServer,
  { target, method, asked }: { target: string; method: string; asked: string },
): Promise<RawResponse> {
  const response = await ask(server, {
    Origin: PAGE,
    "Sec-Fetch-Site": "cross-site",
    "Access-Control-Request-Method": method,
    "Access-Control-Request-Headers": asked,
  }, { method: "OPTIONS", target });
  const names = ["allow-origin", "allow-methods", "max-age", "allow-credentials"];
  assertEquals(
    [response.status, ...names.map((name) => response.headers.get(`access-control-${name}`))],
    [204, PAGE, "GET, POST, DELETE, OPTIONS", "600", null],
  );
  assertEquals([response.headers.get("vary"), response.body.length], ["Origin", 0]);
  return response;
}

Deno.test("with --cors-origin * every page may call but those without an origin", async () => {
  await using server = await TestServer.start("--cors-origin", "*");
  for (const method of ["GET", "OPTIONS"]) {
    const response = await ask(server, { Origin: EVIL, ...crossSite("cors", "empty") }, { method });
    assertEquals(outcome(method === "GET" ? response : { ...response, status: 204 }), "ok");
    const allowed = ["allow-origin", "allow-credentials"].map((name) =>
      response.headers.get(`access-control-${name}`)
    );
    assertEquals(allowed, ["*", null]);
  }
  assertEquals(outcome(await ask(server, { Origin: "null" })), "origin_not_allowed");
  assertEquals(
    outcome(await ask(server, { "Sec-Fetch-Site": "cross-site" })),
    "origin_not_allowed",
  );
});
