import { assertEquals, assertRejects } from "@std/assert";
import { Api, ApiError } from "../../../src/server/playground/api.js";

const ID = "blk_AAAAAAAAAAAAAAAAAAAAAA";
const PAGE = "https://here.example/llm/";

/** A server of answers, one after the other, and what it was asked. */
function scripted(answers: readonly (() => Response | Promise<Response>)[]) {
  const asked: { url: string; method: string; headers: Record<string, string>; body: string }[] =
    [];
  const pauses: number[] = [];
  let next = 0;
  const fetch = async (input: RequestInfo | URL, init: RequestInit = {}) => {
    const headers = Object.fromEntries(new Headers(init.headers));
    const { method = "GET", body } = init;
    asked.push({ url: String(input), method, headers, body: String(body ?? "") });
    return await answers[next++]!();
  };
  const pause = (ms: number) => {
    pauses.push(ms);
    return Promise.resolve();
  };
  return { api: new Api(PAGE, { fetch: fetch as typeof globalThis.fetch, pause }), asked, pauses };
}

function frame(event: string, id: string | null, data: unknown): string {
  return `event: ${event}\n${id ? `id: ${ID}.${id}\n` : ""}data: ${JSON.stringify(data)}\n\n`;
}

const START = frame("start", "0", { id: ID, resume_ms: 1000 });
const STEP = frame("step", null, { step: 1 });
const [ONE, TWO] = [frame("block", "1", { index: 0 }), frame("block", "2", { index: 1 })];
const DONE = frame("done", "3", {});

/** A stream that ends after `text`, or breaks there. */
function stream(text: string, { breaks = false } = {}): () => Response {
  return () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`retry: 2000\n\n${text}`));
        if (!breaks) controller.close();
      },
      pull: (controller) => controller.error(new TypeError("network error")),
    });
    return new Response(body);
  };
}

function refusal(status: number, code: string, headers = {}): () => Response {
  const error = { message: `it is ${code}`, type: "x", param: "seed", code };
  return () => Response.json({ error }, { status, headers });
}

const unreachable = () => Promise.reject(new TypeError("Failed to fetch"));

async function namesOf(api: Api): Promise<string[]> {
  const events = await Array.fromAsync(api.blocks({ prompt: "a" }));
  return events.map(({ event, id }) => id === null ? event : `${event} ${id.split(".")[1]}`);
}

Deno.test("Api.blocks() posts the request and gives its events", async () => {
  const { api, asked } = scripted([stream(START + STEP + ONE + TWO + DONE)]);
  assertEquals(await namesOf(api), ["start 0", "step", "block 1", "block 2", "done 3"]);
  assertEquals(asked, [{
    url: "https://here.example/llm/v1/blocks",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"prompt":"a"}',
  }]);
});

for (const breaks of [true, false]) {
  Deno.test(`Api.blocks() goes on where a stream ${breaks ? "breaks" : "is cut off"}`, async () => {
    const { api, asked } = scripted([
      stream(START + STEP + ONE, { breaks }),
      stream(STEP, { breaks }),
      stream(TWO + DONE),
    ]);
    const expected = ["start 0", "step", "block 1", "step", "block 2", "done 3"];
    assertEquals(await namesOf(api), expected);
    assertEquals(asked.slice(1).map(({ url, method, headers }) => [method, url, headers]), [
      ["GET", `https://here.example/llm/v1/blocks/${ID}`, { "last-event-id": `${ID}.1` }],
      ["GET", `https://here.example/llm/v1/blocks/${ID}`, { "last-event-id": `${ID}.1` }],
    ]);
  });
}

Deno.test("Api.blocks() waits longer and longer for a server that is away", async () => {
  const { api, pauses } = scripted([
    stream(START, { breaks: true }),
    unreachable,
    refusal(503, "draining"),
    unreachable,
    stream(ONE + TWO + DONE),
  ]);
  assertEquals((await namesOf(api)).at(-1), "done 3");
  assertEquals(pauses, [0, 250, 500, 1000]);
});

Deno.test("Api.blocks() gives up when nobody may come back any more", async () => {
  const { api, pauses } = scripted([
    stream(START, { breaks: true }),
    ...Array(9).fill(unreachable),
  ]);
  await assertRejects(() => namesOf(api), ApiError, "cannot be reached");
  // As long as resume_ms says.
  assertEquals(pauses, [0, 250, 500, 1000]);
});

Deno.test("Api.blocks() does not come back to what is forgotten, or was never there", async () => {
  const gone = scripted([stream(START), refusal(404, "generation_not_found")]);
  await assertRejects(() => namesOf(gone.api), ApiError, "it is generation_not_found");
  const silent = scripted([stream("")]);
  await assertRejects(() => namesOf(silent.api), ApiError, "before the first event");
  assertEquals(silent.asked.length, 1);
});

Deno.test("Api.blocks() ends where nothing follows, and at an error of the server's", async () => {
  const over = scripted([stream(START + ONE), () => new Response(null, { status: 204 })]);
  assertEquals(await namesOf(over.api), ["start 0", "block 1"]);
  const failed = scripted([stream(START + frame("error", "1", { error: {} }))]);
  assertEquals(await namesOf(failed.api), ["start 0", "error 1"]);
});

Deno.test("Api sends the key with everything, once it has one", async () => {
  const ok = () => Response.json({});
  const { api, asked } = scripted([ok, ok, ok, stream(START), stream(DONE)]);
  await api.get("v1/models");
  api.key = "secret";
  await api.post("v1/score", {});
  await api.cancel(ID);
  await namesOf(api);
  assertEquals(asked.map(({ headers }) => headers.authorization), [
    undefined,
    ...Array(4).fill("Bearer secret"),
  ]);
  assertEquals([asked[2]!.method, asked[2]!.url], [
    "DELETE",
    `https://here.example/llm/v1/blocks/${ID}`,
  ]);
});

Deno.test("Api throws refusals with all that they say", async () => {
  const { api } = scripted([
    refusal(429, "queue_full", { "retry-after": "3" }),
    () => new Response("<h1>Bad Gateway</h1>", { status: 502 }),
    unreachable,
  ]);
  const { message, status, code, param, retryMs } = await assertRejects(
    () => api.get("v1/models"),
    ApiError,
  );
  assertEquals([message, status, code, param], ["it is queue_full", 429, "queue_full", "seed"]);
  assertEquals(retryMs, 3000);
  await assertRejects(() => api.get("v1/models"), ApiError, "status 502");
  await assertRejects(() => api.get("v1/models"), ApiError, "cannot be reached");
});
