import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { errorOf, testApp } from "./support.ts";

/** A body, and the code and param of its refusal. */
type Case = readonly [body: string, code: string, param: string | null];

const INTEGERS = ["max_tokens", "top_k", "seed", "block_size", "resume_ms"];
const NUMBERS = ["min_entropy", "temperature", "top_p"];
const BOOLEANS = ["ignore_eos", "stream", "trace"];
const CHOICES = ["overflow", "strategy"];

function field(name: string, json: string): string {
  return `{"${name}":${json}}`;
}

function cases(
  names: readonly string[],
  values: readonly string[],
  code: "invalid_type" | "invalid_value",
): Case[] {
  return names.flatMap((name) => values.map((json): Case => [field(name, json), code, name]));
}

/** Options of a strategy, given together with it. */
function options(strategy: string, name: string, json: string): string {
  return `{"strategy":"${strategy}","${name}":${json}}`;
}

const NOT_NUMBERS = ['"1"', '""', "true", "[]", "[1]", "{}"];

const types: Case[] = [
  ...cases([...INTEGERS, ...NUMBERS], NOT_NUMBERS, "invalid_type"),
  ...cases(BOOLEANS, ['"true"', "1", "0", "[]", "{}"], "invalid_type"),
  ...cases(["model", ...CHOICES], ["1", "true", "[]", "{}"], "invalid_type"),
  ...cases(["prompt"], ["1", "true", "{}"], "invalid_type"),
  ...cases(["stop"], ["1", "false", "{}"], "invalid_type"),
  ['{"prompt":["a"]}', "invalid_type", "prompt[0]"],
  ['{"prompt":[1,2,null]}', "invalid_type", "prompt[2]"],
  ['{"prompt":[1,[2]]}', "invalid_type", "prompt[1]"],
  ['{"stop":[1]}', "invalid_type", "stop[0]"],
  ['{"stop":["a",null]}', "invalid_type", "stop[1]"],
  [options("ancestral", "steps", '"4"'), "invalid_type", "steps"],
  [options("ancestral", "steps", "true"), "invalid_type", "steps"],
  [options("low_confidence_dynamic", "threshold", '"0.9"'), "invalid_type", "threshold"],
  [options("entropy_bounded", "entropy_bound", "[]"), "invalid_type", "entropy_bound"],
];

const values: Case[] = [
  ...cases(INTEGERS, ["1.5", "-1", "1e999", "-1e999", "9007199254740992"], "invalid_value"),
  ...cases(NUMBERS, ["-0.01", "20.5", "1e999", "-1e999"], "invalid_value"),
  ...cases(CHOICES, ['""', '"Error"', '"first-hitting"', '"constructor"'], "invalid_value"),
  ...cases(["max_tokens"], ["0", "4097", "0.0"], "invalid_value"),
  ...cases(["temperature"], ["2.0001"], "invalid_value"),
  ...cases(["top_p"], ["0", "1.0001", "0.0"], "invalid_value"),
  ...cases(["top_k"], ["260"], "invalid_value"),
  ...cases(["block_size"], ["0", "3", "64"], "invalid_value"),
  ...cases(["resume_ms"], ["60001"], "invalid_value"),
  ...cases(["stop"], ['""', '["1","2","3","4","5"]', `"${"x".repeat(257)}"`], "invalid_value"),
  ['{"stop":["a",""]}', "invalid_value", "stop[1]"],
  [`{"stop":["${"💧".repeat(257)}"]}`, "invalid_value", "stop[0]"],
  ['{"prompt":[0.5]}', "invalid_value", "prompt[0]"],
  ['{"prompt":[1,1e999]}', "invalid_value", "prompt[1]"],
  ['{"overflow":"slide","max_tokens":16385}', "invalid_value", "max_tokens"],
  ...["ancestral", "sequential", "low_confidence_static", "low_confidence_dynamic"].flatMap(
    (strategy) =>
      ["0", "1025", "1.5", "-1", "1e999"].map((json): Case => [
        options(strategy, "steps", json),
        "invalid_value",
        "steps",
      ]),
  ),
  ...["0", "1.01", "-1", "1e999"].map((json): Case => [
    options("low_confidence_dynamic", "threshold", json),
    "invalid_value",
    "threshold",
  ]),
  ...["0", "100.5", "-1", "1e999"].map((json): Case => [
    options("entropy_bounded", "entropy_bound", json),
    "invalid_value",
    "entropy_bound",
  ]),
];

const names: Case[] = [
  ...["promt", "Prompt", "n", "echo", "user", "messages", "input", "constructor", "__proto__"].map(
    (name): Case => [field(name, "1"), "unknown_parameter", name],
  ),
  ['{"":1}', "unknown_parameter", ""],
  ['{"typo":null}', "unknown_parameter", "typo"],
  ['{"a.b[0]":1}', "unknown_parameter", "a.b[0]"],
  ...([
    ["frequency_penalty", "0.1"],
    ["presence_penalty", "-1"],
    ["logit_bias", '{"5":1}'],
    ["best_of", "2"],
    ["suffix", '"x"'],
    ["response_format", '{"type":"json_object"}'],
    ["tools", "[{}]"],
    ["functions", "[1]"],
    ["tool_choice", '"required"'],
    ["function_call", "{}"],
    ["parallel_tool_calls", "1"],
    ["modalities", '["audio"]'],
    ["service_tier", '"flex"'],
    ["reasoning_effort", '"low"'],
    ["verbosity", '"low"'],
    ["prediction", "{}"],
    ["audio", "{}"],
    ["web_search_options", "{}"],
  ] as const).map(([name, json]): Case => [field(name, json), "unsupported_parameter", name]),
];

const combinations: Case[] = [
  ...["1", "5"].flatMap((json): Case[] => [
    [field("top_logprobs", json), "incompatible_parameters", "top_logprobs"],
    [`{"logprobs":false,"top_logprobs":${json}}`, "incompatible_parameters", "top_logprobs"],
  ]),
  ...[
    ["first_hitting", "steps"],
    ["first_hitting", "threshold"],
    ["first_hitting", "entropy_bound"],
    ["ancestral", "threshold"],
    ["ancestral", "entropy_bound"],
    ["sequential", "threshold"],
    ["low_confidence_static", "threshold"],
    ["low_confidence_dynamic", "entropy_bound"],
    ["entropy_bounded", "threshold"],
  ].map(([strategy, name]): Case => [
    options(strategy!, name!, "0.5"),
    "incompatible_parameters",
    name!,
  ]),
];

const syntax: Case[] = [
  ...'|{|}|[]|1|null|true|"{}"|{"a":}|{\'a\':1}|{"a":1,}|{}{}|{"a":01}|{"a":NaN}|{"a":.5}'.split(
    "|",
  )
    .map((body): Case => [body, "invalid_json", null]),
  ['{"a":"\t"}', "invalid_json", null],
  [`{"prompt":${"[".repeat(64)}${"]".repeat(64)}}`, "invalid_json", null],
  ["[".repeat(100_000), "invalid_json", null],
  ['{"a":'.repeat(100_000), "invalid_json", null],
  ['{"prompt":"\\ud800"}', "invalid_unicode", "prompt"],
  ['{"prompt":"a\\udc00b"}', "invalid_unicode", "prompt"],
  ['{"prompt":"\\ude00\\ud83d"}', "invalid_unicode", "prompt"],
  ['{"stop":["a","\\ud800"]}', "invalid_unicode", "stop[1]"],
  ['{"model":"\\ud83d"}', "invalid_unicode", "model"],
  ['{"x":{"y":[1,{"z":"\\ud800"}]}}', "invalid_unicode", "x.y[1].z"],
  ['{"\\ud800":1}', "invalid_unicode", null],
];

const model: Case[] = [
  ...["", "other", "TEST-COPY", "../test-copy", "__proto__"].map((name): Case => [
    field("model", JSON.stringify(name)),
    "model_not_found",
    "model",
  ]),
  ...["-1", "258", "259", "2147483648"].map((json): Case => [
    `{"prompt":[0,${json}]}`,
    "token_out_of_range",
    "prompt[1]",
  ]),
  [`{"prompt":"${"a".repeat(4096)}"}`, "context_length_exceeded", null],
  ['{"prompt":"abcd","max_tokens":4093}', "context_length_exceeded", null],
];

const all = [types, values, names, combinations, syntax, model].flat();

Deno.test("there are at least 200 bad inputs", () => {
  assertGreaterOrEqual(all.length, 200);
});

Deno.test("POST /v1/blocks refuses every bad input with its code and param", async () => {
  const { post, engine } = testApp();
  for (const [body, code, param] of all) {
    const response = await post(body);
    const error = await errorOf(response);
    const shown = body.slice(0, 80);
    assertEquals({ code: error.code, param: error.param, body: shown }, {
      code,
      param,
      body: shown,
    });
    assertEquals(response.status, code === "model_not_found" ? 404 : 400);
    assertEquals(error.type, "invalid_request_error");
    assertLessOrEqual(error.message.length, 1000);
  }
  assertEquals(engine.submitted.length, 0);
});

const NEUTRAL = [
  '"frequency_penalty":0,"presence_penalty":0.0,"logit_bias":{},"logprobs":false',
  '"top_logprobs":0,"best_of":1,"suffix":"","response_format":{"type":"text"}',
  '"tools":[],"functions":[],"tool_choice":"none","function_call":"auto"',
  '"parallel_tool_calls":true,"modalities":["text"],"service_tier":"default"',
  '"reasoning_effort":null,"verbosity":null,"audio":null,"logprobs":null',
];

/** Fields that are accepted, as JSON without braces. */
const good = [
  "",
  ...NEUTRAL,
  '"max_tokens":16.0,"seed":9007199254740991,"top_k":259',
  '"max_tokens":1e1',
  '"prompt":null,"model":null,"max_tokens":null,"stop":null,"strategy":null,"steps":null',
  '"stop":[],"prompt":[]',
  `"stop":"${"💧".repeat(256)}"`,
  '"prompt":[257,256,0]',
  '"max_tokens":0,"max_tokens":3',
  '"overflow":"slide","max_tokens":16384,"prompt":[257]',
  '"strategy":"ancestral","steps":1024,"temperature":0,"min_entropy":20,"top_p":1e-9',
  '"strategy":"low_confidence_dynamic","threshold":1',
  '"strategy":"entropy_bounded","entropy_bound":100,"steps":1',
  `"prompt":"${"a".repeat(4095)}"`,
  '"prompt":"\\ud83d\\udca7\\u0000"',
];

Deno.test("POST /v1/blocks accepts what is at the edge of what is allowed", async () => {
  const { post, engine } = testApp();
  for (const fields of good) {
    const body = `{"stream":false${fields === "" ? "" : ","}${fields}}`;
    const response = await post(body);
    assertEquals({ status: response.status, body }, { status: 200, body });
    await response.body?.cancel();
  }
  assertEquals(engine.submitted.length, good.length);
  assertEquals(engine.submitted.find(({ maxTokens }) => maxTokens === 16) !== undefined, true);
});

Deno.test("a refusal names the limit and the given value, cut to 100 characters", async () => {
  const { post } = testApp();
  assertEquals(
    (await errorOf(await post({ max_tokens: 0 }))).message,
    "max_tokens must be an integer from 1 to 4096, got 0",
  );
  const long = (await errorOf(await post({ overflow: "💧".repeat(300) }))).message;
  assertEquals(long, `overflow must be one of "error", "slide", got "${"💧".repeat(100)}"`);
  const key = await errorOf(await post({ ["k".repeat(5000)]: 1 }));
  assertEquals(key.param, "k".repeat(100));
  assert(key.message.length < 200);
});

Deno.test("context_length_exceeded has the numbers in its message", async () => {
  const { post } = testApp({ script: { model: { contextLength: 1024 } } });
  const prompt = new Array(1000).fill(5);
  assertEquals(
    (await errorOf(await post({ prompt, max_tokens: 100 }))).message,
    "This model's context length is 1024 tokens, but 1000 prompt tokens + 100 max_tokens = 1100 " +
      "were requested",
  );
  assertEquals(
    (await errorOf(await post({ prompt: new Array(1024).fill(5) }))).message,
    "This model's context length is 1024 tokens, but 1024 prompt tokens + 1 max_tokens = 1025 " +
      "were requested",
  );
});

Deno.test("a message about broken JSON does not quote the body", async () => {
  const { post } = testApp();
  const { message } = await errorOf(await post('{"prompt": secret}'));
  assertEquals(message.includes("secret"), false);
});
