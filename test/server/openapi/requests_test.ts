import { assert, assertEquals } from "@std/assert";
import { DOCUMENT, exampleApp, MODEL, operation, SchemaChecker, SERVED, toWire } from "./api.ts";

const checker = new SchemaChecker();

/** Values of fields that OpenAI has and this server does not implement: the contract, section 5.3. */
const NEUTRAL: readonly Fields[] = [
  { frequency_penalty: 0, presence_penalty: 0, logit_bias: {}, logprobs: false, top_logprobs: 0 },
  { best_of: 1, suffix: "", response_format: { type: "text" }, tools: [], functions: [] },
  { tool_choice: "none", function_call: "none", parallel_tool_calls: true },
  { tool_choice: "auto", function_call: "auto", parallel_tool_calls: false },
  { modalities: ["text"], service_tier: "auto" },
  { service_tier: "default", reasoning_effort: null, verbosity: null, prediction: null },
  { audio: null, web_search_options: null },
];

type Fields = Readonly<Record<string, unknown>>;

// deno-lint-ignore no-explicit-any -- a JSON Schema, looked at as it is
type Schema = any;

const messages = [{ role: "user", content: "abc" }];

/** A request of each operation that works, and leaves room for one more field. */
const BASES: Readonly<Record<string, Fields>> = {
  "POST /v1/completions": { model: MODEL, prompt: "abc", max_tokens: 4 },
  "POST /v1/chat/completions": { model: MODEL, messages, max_tokens: 4 },
  "POST /v1/blocks": { prompt: "abc", stream: false, max_tokens: 4 },
  "GET /v1/blocks": { prompt: "abc", stream: false, max_tokens: 4 },
  "POST /v1/score": { input: "abc" },
  "POST /tokenize": { text: "abc" },
  "POST /detokenize": { tokens: [97, 98] },
};
const TRIED = Object.entries(BASES).filter(([name]) => SERVED.some((each) => each.name === name));

/** Fields that others need beside them. */
const COMPANIONS: Readonly<Record<string, Fields>> = {
  steps: { strategy: "ancestral" },
  threshold: { strategy: "low_confidence_dynamic" },
  entropy_bound: { strategy: "entropy_bounded" },
  stream_options: { stream: true },
  diffusing: { stream: true },
};

/** Likewise, where the field is not one that has to be neutral. */
const CHOSEN_COMPANIONS: Readonly<Record<string, Fields>> = { top_logprobs: { logprobs: true } };

const POOL: readonly unknown[] = [
  true,
  0,
  1,
  -1,
  0.5,
  1e9,
  "",
  "x",
  [],
  ["x"],
  [1],
  [0.5],
  [[1]],
  [[]],
  [null],
  [{}],
  {},
  { x: 1 },
  { x: "x" },
];

/** Values at the edges of what a schema takes. */
function edges(schema: Schema): unknown[] {
  const { minimum, maximum, type, enum: values = [] } = schema;
  return [minimum, maximum, ...values, ...(type === "boolean" ? [true, false] : [])]
    .filter((each) => each !== undefined);
}

/** Values just outside of them. */
function outside(schema: Schema): unknown[] {
  const { minimum, maximum, exclusiveMinimum, maxLength, maxItems, minItems, items } = schema;
  const step = schema.type === "integer" ? 1 : 0.001;
  return [
    ...minimum === undefined ? [] : [minimum - step],
    ...maximum === undefined ? [] : [maximum + step],
    ...exclusiveMinimum === undefined ? [] : [exclusiveMinimum],
    ...maxLength === undefined ? [] : [(maxLength > 256 ? "x" : "💧").repeat(maxLength + 1)],
    ...maxItems === undefined ? [] : [Array(maxItems + 1).fill(items.type === "string" ? "x" : 1)],
    ...minItems === undefined ? [] : [Array(minItems - 1).fill(1)],
    ...(schema.anyOf ?? []).flatMap(outside),
  ];
}

/** Sends `fields` and gives the status; what else is answered is of no interest. */
async function statusOf(name: string, fields: Fields): Promise<number> {
  const { send } = exampleApp();
  const described = operation(name);
  const { url, init } = toWire(
    described,
    described.body === undefined ? { values: fields } : { body: fields, values: {} },
  );
  const response = await send(url, init);
  if (response.status < 400) {
    await response.body?.cancel();
    return response.status;
  }
  const { schema } = described.responses[response.status].content["application/json"];
  assertEquals(checker.problems(schema, await response.json()), []);
  return response.status;
}

/** What an operation takes: its fields' schemas, and whether it takes all of them together. */
interface Taken {
  readonly properties: Readonly<Record<string, Schema>>;
  isValid(fields: Fields): boolean;
}

function takenBy(name: string): Taken {
  const { body, parameters } = operation(name);
  if (body !== undefined) {
    return {
      properties: DOCUMENT.components.schemas[body.schema.$ref.split("/").at(-1)].properties,
      isValid: (fields) => checker.problems(body.schema, fields).length === 0,
    };
  }
  const inQuery = parameters.filter((each) => each.in === "query");
  const properties = Object.fromEntries(inQuery.map((each) => [each.name, each.schema]));
  return {
    properties,
    isValid: (fields) =>
      Object.entries(fields).every(([field, value]) =>
        field in properties && checker.problems(properties[field], value).length === 0
      ),
  };
}

/** Whether a query can tell the value from a text, or the field is no text. */
function isWritable(name: string, schema: Schema, value: unknown): boolean {
  if (!name.startsWith("GET")) return true;
  if (schema.type === "array") {
    return Array.isArray(value) && value.length > 0 &&
      value.every((each) => typeof each === "string");
  }
  return typeof value !== "object" && (schema.type !== "string" || typeof value === "string");
}

/** A request that works, but for `value` if that is wrong. */
function requestWith(name: string, field: string, value: unknown): Fields {
  const { max_tokens, ...base } = BASES[name]!;
  const length = max_tokens === undefined || field === "max_completion_tokens"
    ? {}
    : { max_tokens };
  const companions = name === "POST /v1/completions" ? {} : CHOSEN_COMPANIONS[field];
  return { ...base, ...length, ...COMPANIONS[field], ...companions, [field]: value };
}

/** What of a schema's field the schema refuses: of other types, and out of range. */
function refusedBy(name: string, field: string): unknown[] {
  const { properties, isValid } = takenBy(name);
  return [...POOL, ...outside(properties[field])]
    .filter((value) => isWritable(name, properties[field], value))
    .filter((value) => !isValid(requestWith(name, field, value)));
}

/** Whether a query can give the field no value that its schema refuses: every text is a text. */
function isAnyText(name: string, { type, maxLength, enum: values, pattern }: Schema): boolean {
  const isText = type === "string" && maxLength === undefined && !values && !pattern;
  return name.startsWith("GET") && isText;
}

for (const [name, base] of TRIED) {
  const { properties, isValid } = takenBy(name);

  Deno.test(`${name} refuses every value that its schema refuses`, async () => {
    for (const [field, schema] of Object.entries(properties)) {
      const refused = refusedBy(name, field);
      assert(refused.length > 0 || isAnyText(name, schema), `${field} may be anything`);
      for (const value of refused) {
        const status = await statusOf(name, requestWith(name, field, value));
        const shown = `${field}: ${JSON.stringify(value).slice(0, 80)}`;
        assertEquals([shown, status], [shown, 400]);
      }
    }
  });

  Deno.test(`${name} takes the values at the edges of its schema`, async () => {
    for (const [field, schema] of Object.entries(properties)) {
      for (const value of edges(schema)) {
        const request = requestWith(name, field, value);
        const shown = `${field}: ${JSON.stringify(value)}`;
        assertEquals([shown, isValid(request)], [shown, true]);
        assertEquals([shown, await statusOf(name, request)], [shown, 200]);
      }
    }
  });

  Deno.test(`${name} refuses unknown fields and missing ones as its schema does`, async () => {
    assertEquals(isValid(base), true);
    assertEquals(await statusOf(name, base), 200);
    for (const fields of [{ ...base, promt: "x" }, { ...base, "": 1 }]) {
      assertEquals([isValid(fields), await statusOf(name, fields)], [false, 400]);
    }
    const { body } = operation(name);
    const schema = DOCUMENT.components.schemas[body?.schema.$ref.split("/").at(-1)];
    for (const field of schema?.required ?? []) {
      const { [field]: _, ...rest } = base;
      assertEquals([isValid(rest), await statusOf(name, rest)], [false, 400]);
    }
  });
}

for (const [name, base] of TRIED.filter(([name]) => name.startsWith("POST"))) {
  Deno.test(`${name} takes null for every field that its schema does not require`, async () => {
    const { schema } = operation(name).body;
    const { properties, required = [] } =
      DOCUMENT.components.schemas[schema.$ref.split("/").at(-1)];
    for (const field of Object.keys(properties)) {
      const status = await statusOf(name, { ...base, [field]: null });
      const expected = required.includes(field) ? 400 : 200;
      assertEquals({ field, status }, { field, status: expected });
    }
  });
}

for (const [name, base] of TRIED.filter(([, base]) => "max_tokens" in base)) {
  if (name.startsWith("GET")) continue;
  Deno.test(`${name} takes what changes nothing, as its schema does`, async () => {
    for (const neutral of NEUTRAL) {
      const request = { ...base, ...neutral };
      const shown = Object.keys(neutral).join();
      assertEquals([shown, takenBy(name).isValid(request)], [shown, true]);
      assertEquals([shown, await statusOf(name, request)], [shown, 200]);
    }
  });
}

Deno.test("messages are refused where their schema does, and taken where it does", async () => {
  const name = "POST /v1/chat/completions";
  const { isValid } = takenBy(name);
  const user = { role: "user", content: "abc" };
  const cases: [boolean, unknown][] = [
    [true, [user]],
    ...["system", "developer", "user", "assistant"].map((role): [boolean, unknown] => [
      true,
      [{ role, content: "a" }, user],
    ]),
    [true, [{ ...user, name: "Ann" }]],
    [true, [{ ...user, content: [{ type: "text", text: "a" }, { type: "text", text: "" }] }]],
    [true, [{ ...user, refusal: null, tool_calls: [], annotations: [], audio: null }]],
    [true, [{ ...user, refusal: "", tool_calls: null, function_call: null, tool_call_id: null }]],
    [true, Array(512).fill(user)],
    [false, Array(513).fill(user)],
    [false, []],
    [false, user],
    [false, ["abc"]],
    [false, [{ role: "user" }]],
    [false, [{ content: "a" }]],
    [false, [{ ...user, content: null }]],
    [false, [{ ...user, content: 5 }]],
    [false, [{ ...user, content: [] }]],
    [false, [{ ...user, content: ["a"] }]],
    [false, [{ ...user, content: [{ type: "text" }] }]],
    [false, [{ ...user, content: [{ type: "image_url", image_url: {} }] }]],
    [false, [{ ...user, content: [{ type: "text", text: "a", x: 1 }] }]],
    [false, [{ ...user, role: "tool" }]],
    [false, [{ ...user, role: "User" }]],
    [false, [{ ...user, name: 1 }]],
    [false, [{ ...user, refusal: "no" }]],
    [false, [{ ...user, tool_calls: [{}] }]],
    [false, [{ ...user, colour: "red" }]],
  ];
  for (const [isTaken, messages] of cases) {
    const fields = { model: MODEL, messages };
    const shown = JSON.stringify(messages).slice(0, 80);
    const status = await statusOf(name, fields);
    assertEquals([shown, isValid(fields), status], [shown, isTaken, isTaken ? 200 : 400]);
  }
});

Deno.test("an option of some strategies says of which, and is refused with all others", async () => {
  const { properties } = DOCUMENT.components.schemas.BlocksRequest;
  const { post } = exampleApp();
  const options = Object.entries<Schema>(properties).filter(([, field]) => field["x-strategies"]);
  assertEquals(options.map(([name]) => name).sort(), ["entropy_bound", "steps", "threshold"]);
  for (const [name, field] of options) {
    for (const strategy of properties.strategy.enum) {
      const response = await post({ prompt: "abc", max_tokens: 1, strategy, [name]: 1 });
      await response.body?.cancel();
      assertEquals(response.ok, field["x-strategies"].includes(strategy), `${name}, ${strategy}`);
    }
  }
});

Deno.test("every operation with fields that is served is tried here", () => {
  const withFields = SERVED.filter(({ body, parameters, path }) =>
    body !== undefined || parameters.some((each) => each.in === "query" && !path.includes("{"))
  );
  assertEquals(withFields.map(({ name }) => name).sort(), TRIED.map(([name]) => name).sort());
});
