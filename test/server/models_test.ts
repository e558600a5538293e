import { assertEquals } from "@std/assert";
import { testApp } from "./support.ts";

Deno.test("a model is described by what requests may ask of it", async () => {
  const { send } = testApp();
  assertEquals(await (await send("/v1/models/test-copy")).json(), {
    id: "test-copy",
    object: "model",
    created: 1_760_000_000,
    owned_by: "local",
    context_length: 4096,
    vocab_size: 259,
    bos_token_id: null,
    eos_token_id: 257,
    stop_token_ids: [257],
    mask_token_id: 258,
    block_sizes: [1, 2, 4, 8, 16, 32],
    default_block_size: 4,
    strategies: [
      "first_hitting",
      "ancestral",
      "sequential",
      "random",
      "low_confidence_static",
      "low_confidence_dynamic",
      "entropy_bounded",
    ],
    default_strategy: "first_hitting",
    defaults: {
      temperature: 1,
      top_p: 1,
      top_k: 0,
      strategy: "first_hitting",
      steps: null,
      threshold: 0.9,
    },
    capabilities: { completions: true, chat: false, score: true, slide: true },
  });
});

Deno.test("a model tells all tokens that end a text", async () => {
  const { send } = testApp({ script: { model: { eosToken: 7, stopTokens: [7, 9] } } });
  const model = await (await send("/v1/models/test-copy")).json();
  assertEquals([model.eos_token_id, model.stop_token_ids], [7, [7, 9]]);
});

Deno.test("a model whose context does not slide says so, and refuses to", async () => {
  const { send, post } = testApp({ script: { model: { slides: false } } });
  const { data: [model] } = await (await send("/v1/models")).json();
  assertEquals(model.capabilities.slide, false);
  const refusal = await post({ prompt: "ab", overflow: "slide" });
  const { error } = await refusal.json();
  assertEquals([refusal.status, error.code, error.param], [400, "invalid_value", "overflow"]);
  assertEquals(error.message, 'overflow must be "error" with this model, got "slide"');
  const long = await (await post({ prompt: "ab", max_tokens: 4095 })).json();
  assertEquals(long.error.code, "context_length_exceeded");
});

Deno.test("a model that cannot be scored says so, and is not", async () => {
  const { send, post, engine } = testApp({ script: { model: { scores: false } } });
  const { data: [model] } = await (await send("/v1/models")).json();
  assertEquals(model.capabilities.score, false);
  const refusal = await post({ input: "ab" }, "/v1/score");
  const { error } = await refusal.json();
  assertEquals([refusal.status, error.code, error.param], [400, "invalid_value", "model"]);
  assertEquals(engine.scored, []);
});

Deno.test("a model with a chat template can chat", async () => {
  const { send } = testApp({ chat: { switches: [], tokens: () => [] } });
  const { data: [model] } = await (await send("/v1/models")).json();
  assertEquals(model.capabilities.chat, true);
});
