import { assertEquals, assertMatch } from "@std/assert";
import type { LoadedModel } from "../../src/server/loaded_models.ts";
import { ScriptedEngine } from "../support/scripted_engine.ts";
import { byteTokenizer, errorOf, testApp } from "./support.ts";

function loading(waitForModel: boolean) {
  const models = Promise.withResolvers<LoadedModel[]>();
  const load = (engine = new ScriptedEngine()) =>
    models.resolve([{ engine, tokenizer: byteTokenizer, chat: null }]);
  return { ...testApp({ models: models.promise, waitForModel }), load, fail: models.reject };
}

Deno.test("while the models load, work is refused and health is not", async () => {
  const { send, post, load } = loading(false);
  assertEquals(await (await send("/health")).json(), { status: "ok" });
  const ready = await send("/ready");
  assertEquals(ready.status, 503);
  assertMatch(ready.headers.get("retry-after")!, /^[1-9]\d*$/);
  const { status, error } = await ready.json();
  assertEquals([status, error.code], ["loading", "model_loading"]);
  const response = await post({});
  assertEquals(response.status, 503);
  assertMatch(response.headers.get("retry-after")!, /^[1-9]\d*$/);
  assertEquals((await errorOf(response)).code, "model_loading");
  assertEquals((await errorOf(await send("/v1/models"))).code, "model_loading");
  assertEquals((await errorOf(await post({ promt: 1 }))).code, "unknown_parameter");
  load();
  await post({ max_tokens: 1, stream: false });
  assertEquals(await (await send("/ready")).json(), { status: "ready" });
  assertEquals((await post({ max_tokens: 1, stream: false })).status, 200);
});

Deno.test("with waitForModel, work waits until the models are loaded", async () => {
  const { send, post, load } = loading(true);
  const answer = post({ prompt: "ab", max_tokens: 2, stream: false });
  const models = send("/v1/models");
  assertEquals((await send("/ready")).status, 503);
  load();
  assertEquals((await (await answer).json()).text, "ab");
  assertEquals((await models).status, 200);
});

Deno.test("when loading fails, readiness says so and waiting work is refused", async () => {
  const { send, post, fail } = loading(true);
  const answer = post({});
  fail(new Error("/secret/model is broken"));
  assertEquals((await errorOf(await answer)).code, "device_lost");
  const ready = await send("/ready");
  assertEquals(ready.status, 503);
  assertEquals((await ready.json()).status, "failed");
});

Deno.test("readiness and new work follow the engine's status, health does not", async () => {
  const { send, post, engine } = testApp();
  for (
    const [status, code] of [
      ["loading", "model_loading"],
      ["draining", "draining"],
      ["device_lost", "device_lost"],
      ["failed", "device_lost"],
    ] as const
  ) {
    engine.status = status;
    const ready = await send("/ready");
    assertEquals([ready.status, ready.headers.has("retry-after")], [503, true]);
    const body = await ready.json();
    assertEquals([body.status, body.error.code], [status, code]);
    const work = await post({});
    assertEquals([work.status, work.headers.has("retry-after")], [503, true]);
    assertEquals(work.headers.get("connection"), status === "draining" ? "close" : null);
    assertEquals((await errorOf(work)).code, code);
    assertEquals((await send("/health")).status, 200);
    assertEquals((await send("/v1/models")).status, 200);
  }
});

Deno.test("the first model is the default, and each is found by its id", async () => {
  const engines = ["first", "org/second %"].map((id) => new ScriptedEngine({ model: { id } }));
  const models = engines.map((engine) => ({ engine, tokenizer: byteTokenizer, chat: null }));
  const { send, post } = testApp({ models });
  const { data } = await (await send("/v1/models")).json();
  assertEquals(data.map(({ id }: { id: string }) => id), ["first", "org/second %"]);
  const named = await send(`/v1/models/${encodeURIComponent("org/second %")}`);
  assertEquals((await named.json()).id, "org/second %");
  for (const path of ["other", "org/second%20%25", "%zz", "%ff", "first%20"]) {
    assertEquals([path, (await send(`/v1/models/${path}`)).status], [path, 404]);
  }
  const model = async (fields: object) =>
    (await (await post({ max_tokens: 1, stream: false, ...fields })).json()).model;
  assertEquals(await model({}), "first");
  assertEquals(await model({ model: "org/second %" }), "org/second %");
});
