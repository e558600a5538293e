import { assertEquals, assertMatch } from "@std/assert";
import { BusyError } from "../../src/engine/request.ts";
import { errorOf, parseEvents, testApp } from "./support.ts";

const ID = `blk_${"A".repeat(22)}`;

Deno.test("a sequence that fails ends its stream with the error as the last event", async () => {
  const { post, logLines } = testApp({
    script: {
      beforeStep: (step) => {
        if (step === 5) throw new Error("secret kernel");
      },
    },
  });
  const response = await post({ prompt: "hi", max_tokens: 8 });
  const id = response.headers.get("x-request-id");
  const events = parseEvents(await response.text());
  assertEquals(events.map(({ event }) => event), ["start", "block", "error"]);
  assertMatch(events[2]!.id!, /^blk_[A-Za-z0-9_-]{22}\.2$/);
  assertEquals(events[2]!.data.error, {
    message: `The server made an error (request ${id})`,
    type: "server_error",
    param: null,
    code: "internal_error",
  });
  assertEquals(JSON.parse(logLines.at(-1)!).request_id, id);
  assertEquals(logLines.join().includes("secret"), false);
});

Deno.test("a full queue is 429, a server that cannot work now 503, both with Retry-After", async () => {
  for (
    const [code, status, type] of [
      ["queue_full", 429, "rate_limit_error"],
      ["draining", 503, "unavailable_error"],
      ["device_lost", 503, "unavailable_error"],
      ["model_loading", 503, "unavailable_error"],
    ] as const
  ) {
    const { post } = testApp({ script: { refusal: new BusyError(code) } });
    const response = await post({});
    assertEquals(response.status, status);
    assertMatch(response.headers.get("retry-after")!, /^[1-9]\d*$/);
    const error = await errorOf(response);
    assertEquals([error.code, error.type, error.param], [code, type, null]);
  }
});

Deno.test("requests beyond the queue are refused, those in it know their place", async () => {
  const gate = Promise.withResolvers<void>();
  const { post } = testApp({
    script: { maxConcurrent: 1, maxQueue: 2, beforeStep: () => gate.promise },
  });
  const responses: Response[] = [];
  // One after the other: the order in which bodies are read is nobody's promise.
  for (let i = 0; i < 4; i++) responses.push(await post({ max_tokens: 1 }));
  assertEquals(responses.map(({ status }) => status), [200, 200, 200, 429]);
  await responses[3]!.body!.cancel();
  gate.resolve();
  const starts = await Promise.all(
    responses.slice(0, 3).map(async (each) => parseEvents(await each.text())[0]!.data),
  );
  assertEquals(starts.map(({ queue_position }) => queue_position), [0, 0, 1]);
});

Deno.test("a request that can never succeed is told so even when the server cannot work", async () => {
  const { post, engine } = testApp();
  engine.status = "device_lost";
  assertEquals((await errorOf(await post({ max_tokens: 5000 }))).code, "invalid_value");
  assertEquals((await errorOf(await post({ model: "x" }))).code, "model_not_found");
  assertEquals((await errorOf(await post({}))).code, "device_lost");
});

Deno.test("a generation over its time ends with generation_timeout", async () => {
  const forever = new Promise<void>(() => {});
  const options = { script: { beforeStep: () => forever }, settings: { requestTimeoutMs: 1 } };
  const { post, engine } = testApp(options);
  const events = parseEvents(await (await post({})).text());
  assertEquals(events.map(({ event }) => event), ["start", "error"]);
  assertEquals(events[1]!.data.error.code, "generation_timeout");
  const response = await post({ stream: false });
  assertEquals(response.status, 504);
  const { type, code } = await errorOf(response);
  assertEquals([type, code], ["timeout_error", "generation_timeout"]);
  await engine.idle;
  assertEquals(engine.cancelled, 2);
});

Deno.test("a request with Last-Event-ID never starts a generation", async () => {
  const { send, engine } = testApp();
  const body = "not looked at";
  const codes = async (lastEventId: string) => {
    const headers = { "last-event-id": lastEventId };
    return [
      await errorOf(await send("/v1/blocks", { method: "POST", headers, body })),
      await errorOf(await send("/v1/blocks?prompt=a", { headers })),
      await errorOf(await send(`/v1/blocks?last_event_id=${encodeURIComponent(lastEventId)}`)),
    ].map(({ code }) => code);
  };
  assertEquals(await codes(`${ID}.3`), new Array(3).fill("generation_not_found"));
  for (const malformed of ["", "5", `${ID}`, `${ID}.`, `${ID}.-1`, `${ID}.01`, "x.1", `${ID}:1`]) {
    assertEquals(await codes(malformed), new Array(3).fill("invalid_last_event_id"));
  }
  assertEquals(engine.submitted.length, 0);
});

Deno.test("a prompt of more than a million tokens is refused even where the context slides", async () => {
  const { post } = testApp({ settings: { maxBodyBytes: 2 ** 22 } });
  const body = { overflow: "slide", max_tokens: 1, stream: false };
  const error = await errorOf(await post({ ...body, prompt: "a".repeat(1_000_001) }));
  assertEquals([error.code, error.param], ["invalid_value", "prompt"]);
});
