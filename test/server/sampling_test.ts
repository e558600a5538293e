import { assertEquals } from "@std/assert";
import type { SequenceRequest } from "../../src/engine/request.ts";
import type { SamplingDefaults } from "../../src/model/decoding_rules.ts";
import { errorOf, testApp } from "./support.ts";

const DEFAULTS: SamplingDefaults = {
  temperature: 0.25,
  top_p: 0.75,
  top_k: 9,
  strategy: "low_confidence_dynamic",
  steps: 3,
  threshold: 0.625,
};

const OWN = {
  temperature: 0.25,
  topP: 0.75,
  topK: 9,
  strategy: { strategy: "low_confidence_dynamic", steps: 3, threshold: 0.625 },
};

/** What the contract, section 4, says of a request that says nothing. */
const CONTRACT = { temperature: 1, topP: 1, topK: 0, strategy: { strategy: "first_hitting" } };

const ENDPOINTS = [
  ["/v1/blocks", { prompt: "ab", stream: false }],
  ["/v1/completions", { model: "test-copy", prompt: "ab" }],
  ["/v1/chat/completions", { model: "test-copy", messages: [{ role: "user", content: "ab" }] }],
] as const;

function app(defaults: SamplingDefaults) {
  const chat = { switches: [], tokens: () => [97, 98] };
  return testApp({ chat, script: { model: { defaults } } });
}

function samplingOf({ temperature, topP, topK, strategy }: SequenceRequest) {
  return { temperature, topP, topK, strategy };
}

for (const [path, body] of ENDPOINTS) {
  const ask = async (defaults: SamplingDefaults, more: object): Promise<unknown> => {
    const { post, engine } = app(defaults);
    const response = await post({ ...body, max_tokens: 4, ...more }, path);
    if (response.status !== 200) return (await errorOf(response)).code;
    await response.body?.cancel();
    return samplingOf(engine.submitted[0]!);
  };

  Deno.test(`${path}: what a request leaves out is the model's default`, async () => {
    assertEquals(await ask(DEFAULTS, {}), OWN);
    const unset = { temperature: null, top_p: null, top_k: null, strategy: null, threshold: null };
    assertEquals(await ask(DEFAULTS, { ...unset, steps: null }), OWN);
  });

  Deno.test(`${path}: where the model has no default, the contract's counts`, async () => {
    assertEquals(await ask({}, {}), CONTRACT);
    assertEquals(await ask({ top_k: 3 }, {}), { ...CONTRACT, topK: 3 });
  });

  Deno.test(`${path}: what a request says comes before the model's defaults`, async () => {
    const said = { temperature: 0, top_p: 1, top_k: 0, threshold: 0.5, steps: 2 };
    assertEquals(await ask(DEFAULTS, said), {
      temperature: 0,
      topP: 1,
      topK: 0,
      strategy: { strategy: "low_confidence_dynamic", steps: 2, threshold: 0.5 },
    });
  });

  Deno.test(`${path}: options of the default strategy do not follow another one`, async () => {
    const strategy = "first_hitting";
    assertEquals(await ask(DEFAULTS, { strategy }), { ...OWN, strategy: { strategy } });
    const steps = { strategy: "low_confidence_static" };
    const { strategy: taken } = await ask(DEFAULTS, steps) as typeof OWN;
    assertEquals<unknown>(taken, { ...steps, steps: 3 });
  });

  Deno.test(`${path}: options have to fit the strategy that is the default`, async () => {
    assertEquals(await ask({}, { threshold: 0.5 }), "incompatible_parameters");
    assertEquals(await ask(DEFAULTS, { entropy_bound: 0.5 }), "incompatible_parameters");
    const dynamic = { strategy: "low_confidence_dynamic", threshold: 0.5 };
    assertEquals(await ask({ strategy: dynamic.strategy }, { threshold: 0.5 }), {
      ...CONTRACT,
      strategy: dynamic,
    });
  });

  Deno.test(`${path}: options are checked before the model is looked up`, async () => {
    assertEquals(await ask({}, { model: "none", threshold: 2 }), "invalid_value");
    assertEquals(await ask({}, { model: "none", threshold: "x" }), "invalid_type");
    assertEquals(await ask({}, { model: "none", threshold: 0.5 }), "model_not_found");
  });
}

Deno.test("models tell the defaults that requests get, the contract's included", async () => {
  const told = async (defaults: SamplingDefaults) => {
    const { defaults: found, default_strategy } = await (await app(defaults).send(
      "/v1/models/test-copy",
    )).json();
    assertEquals(default_strategy, found.strategy);
    return found;
  };
  const contract = { temperature: 1, top_p: 1, top_k: 0, strategy: "first_hitting", steps: null };
  assertEquals(await told({}), { ...contract, threshold: 0.9 });
  assertEquals(await told(DEFAULTS), DEFAULTS);
  assertEquals(await told({ temperature: 0, threshold: 0.5 }), {
    ...contract,
    temperature: 0,
    threshold: 0.5,
  });
});
