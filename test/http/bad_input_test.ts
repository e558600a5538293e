import { assert, assertEquals, assertGreaterOrEqual, assertMatch } from "@std/assert";
import { toRequest } from "../support/bad_input/draft.ts";
import {
  type BadInput,
  ENDPOINTS,
  goodDraft,
  MAX_BODY_BYTES,
  severalFaults,
  singleFaults,
} from "../support/bad_input/mod.ts";
import { eventIdInputs, methodInputs, pathInputs } from "../support/bad_input/path_inputs.ts";
import { goodQuery, queryInputs } from "../support/bad_input/query_inputs.ts";
import { deadline } from "../support/deadline.ts";
import { metric, scrape } from "../support/metrics.ts";
import { ROOT } from "../support/process.ts";
import { Random } from "../support/random.ts";
import { exchange, type RawRequest, type RawResponse, textOf } from "../support/raw_connection.ts";
import { TestServer } from "../support/test_server.ts";

// Generated requests, each wrong in a way that its generator knows. What they are refused for is
// known by how they were made, from the contract alone.

/** `BD_FUZZ_SEED` makes other requests, `BD_FUZZ_COUNT` more of those with several faults. */
const SEED = Number(Deno.env.get("BD_FUZZ_SEED") ?? 1);
const SEVERAL = Number(Deno.env.get("BD_FUZZ_COUNT") ?? 600);

/** Source: the contract, section 2. */
const STATUS: Readonly<Record<string, number>> = {
  host_not_allowed: 403,
  origin_not_allowed: 403,
  route_not_found: 404,
  model_not_found: 404,
  generation_not_found: 404,
  method_not_allowed: 405,
  request_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  unsupported_content_encoding: 415,
};

function ask(server: TestServer, request: RawRequest, name: string): Promise<RawResponse> {
  return deadline(exchange(server.address, request), `the answer to ${name} (seed ${SEED})`);
}

/** Ids that a client may give its request, and some that it may not. */
const REQUEST_IDS = [
  ...["a", "0", "A.b_c-9", "x".repeat(128), "__proto__"],
  ...["", "x".repeat(129), "a b", "a,b", "<b>", "a;b", "\u00e9"],
];

/** Sends a request under one of these ids, and checks that its refusal has it, or a fresh one. */
async function refuse(
  server: TestServer,
  { request, ...input }: BadInput,
  id: string,
): Promise<RawResponse> {
  const headers = [...request.headers ?? [], ["X-Request-Id", id] as const];
  const response = await ask(server, { ...request, headers }, input.name);
  assertRefusal(response, input);
  const expected = REQUEST_IDS.indexOf(id) < 5 ? id : /^req_[A-Za-z0-9_-]{22}$/;
  assertMatch(response.headers.get("x-request-id") ?? "", new RegExp(expected), input.name);
  return response;
}

/** Checks a refusal, all that section 2 says of it. */
function assertRefusal(response: RawResponse, { name, code, param }: Omit<BadInput, "request">) {
  const body = textOf(response.body);
  const shown = `${name} (seed ${SEED}) got ${response.status} ${body.slice(0, 500)}`;
  assertEquals(response.status, STATUS[code] ?? 400, shown);
  assertEquals(response.headers.get("content-type"), "application/json; charset=utf-8", shown);
  assertEquals(response.headers.get("x-content-type-options"), "nosniff", shown);
  const { error, ...others } = JSON.parse(body);
  assertEquals(others, {}, shown);
  assertEquals(Object.keys(error), ["message", "type", "param", "code"], shown);
  assertEquals(error.code, code, shown);
  const type = response.status === 403 ? "permission_error" : "invalid_request_error";
  assertEquals(error.type, type, shown);
  assert(error.param === null || typeof error.param === "string", shown);
  if (param !== undefined) assertEquals(error.param, param, shown);
  assert(error.message.length > 0 && [...error.message].length <= 1000, shown);
  // Nothing of the server's own: no file, no line of a stack.
  assert(!error.message.includes(ROOT) && !/file:\/\/\/|\.ts:\d/.test(error.message), shown);
}

/** What the server answers to a request that never changes. */
async function canary(server: TestServer): Promise<unknown> {
  const prompt = "canary ";
  const response = await server.post("/v1/blocks", {
    prompt,
    max_tokens: 20,
    seed: 5,
    stream: false,
  });
  const { id: _, created: __, timings: ___, blocks, ...rest } = await response.json();
  return { ...rest, blocks: blocks.map(({ ms: _, ...block }: { ms: number }) => block) };
}

Deno.test("every bad input is refused for what is wrong with it", async (t) => {
  const random = new Random(SEED);
  await using server = await TestServer.start(
    ...["--test-step-ms", "0", "--max-body-bytes", `${MAX_BODY_BYTES}`],
    ...["--max-concurrent", "2", "--max-queue", "2"],
  );
  const before = await canary(server);
  let refused = 0;
  const refuseAll = async (inputs: readonly BadInput[]) => {
    for (const each of random.shuffle(inputs)) {
      await refuse(server, each, random.pick(REQUEST_IDS));
      refused += 1;
    }
  };

  await t.step("what is right is accepted", async () => {
    const drafts = ENDPOINTS.flatMap((each) =>
      Array.from({ length: 60 }, () => goodDraft(random, each))
    );
    const queries = Array.from({ length: 40 }, () => ({ target: goodQuery(random) }));
    for (const request of [...drafts.map(toRequest), ...queries]) {
      const name = `${request.target} ${
        "body" in request ? textOf(request.body as Uint8Array) : ""
      }`;
      const { status, body } = await ask(server, request, name.slice(0, 500));
      assertEquals(status, 200, `${name} (seed ${SEED}) got ${textOf(body)}`);
    }
  });

  await t.step("bodies with one fault", () => refuseAll(singleFaults(random)));
  await t.step("bodies with several", () => refuseAll(severalFaults(random, SEVERAL)));
  await t.step("queries", () => refuseAll(queryInputs(random)));
  await t.step("paths", () => refuseAll(pathInputs()));

  await t.step("methods, and what would be allowed", async () => {
    for (const each of methodInputs()) {
      const response = await refuse(server, each, random.pick(REQUEST_IDS));
      const allowed = response.headers.get("allow")?.split(", ") ?? [];
      const missing = each.allowed.filter((method) => !allowed.includes(method));
      assertEquals(missing, [], `${each.name} allows ${allowed}`);
      assert(!allowed.includes(each.request.method ?? "GET"), each.name);
      refused += 1;
    }
  });

  await t.step("ids of events", async () => {
    const { events, last } = await server.blocks({ max_tokens: 9, resume_ms: 60_000 });
    await refuseAll(eventIdInputs(events[0]!.data.id, Number(last.id?.split(".")[1])));
  });

  await t.step("afterwards the server is as it was", async () => {
    assertEquals(await canary(server), before);
    const whole = { model: "test-copy", prompt: ["a", "b"], n: 2, max_tokens: 2 };
    const response = await server.post("/v1/completions", whole);
    assertEquals(response.status, 200, "a refused request keeps its place");
    await response.body?.cancel();
    assertEquals(await (await server.get("/ready")).json(), { status: "ready" });
    assertEquals(await metric(server, "bd_sequences_running"), 0);
    const answers = (await scrape(server)).labels("bd_http_requests_total");
    assertEquals(answers.filter(({ status = "" }) => status >= "500"), []);
    assertGreaterOrEqual(refused, 1000);
  });
});
