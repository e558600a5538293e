import { assert, assertEquals } from "@std/assert";
import {
  type DocumentedExample,
  exampleApp,
  examplesOf,
  MODEL,
  operation,
  OPERATIONS,
  SchemaChecker,
  SERVED,
  toWire,
} from "./api.ts";

const checker = new SchemaChecker();

/** Bytes that make the id of the first generation the one in the examples. */
function bytesOf(generation: string): Uint8Array {
  return Uint8Array.fromBase64(generation.replace("blk_", ""), { alphabet: "base64url" });
}

/** Id of the generation that an example is about. */
function generationOf({ parameters }: DocumentedExample): string | undefined {
  return Object.values(parameters).map((each) => /^blk_[^.]+/.exec(String(each))?.[0])
    .find((id) => id !== undefined);
}

/** Sends an example to an app that has the generation it is about. */
async function answerTo(example: DocumentedExample): Promise<Response> {
  const generation = generationOf(example);
  const randomBytes = () => bytesOf(generation!);
  const { post, send } = exampleApp(generation === undefined ? {} : { randomBytes });
  if (generation !== undefined) {
    const made = await (await post({ prompt: "abc", max_tokens: 8 })).text();
    assert(made.includes(`"id":"${generation}"`), made);
  }
  const { body, parameters } = example;
  const { url, init } = toWire(example.operation, { body, values: parameters });
  return await send(url, init);
}

interface SentEvent {
  readonly event: string;
  readonly data: string;
}

function eventsOf(text: string): SentEvent[] {
  return text.split("\n\n").filter((part) => /^data: /m.test(part)).map((part) => ({
    event: /^event: (.*)$/m.exec(part)?.[1] ?? "message",
    data: /^data: (.*)$/m.exec(part)![1]!,
  }));
}

/** Checks a response against what its operation says of it; gives the types of a stream's events. */
async function checkAnswer(response: Response, { name, operation }: DocumentedExample) {
  const documented = operation.responses[response.status];
  assert(documented, `${name}: ${response.status} is not documented: ${await describe(response)}`);
  for (const header of Object.keys(documented.headers)) {
    assert(response.headers.has(header), `${name} has no ${header}`);
  }
  const type = response.headers.get("content-type")
    ?.replace(/^(application\/json|text\/event-stream); charset=utf-8$/, "$1");
  const text = await response.text();
  if (type === undefined) {
    assertEquals([text, documented.content], ["", undefined], name);
    return [];
  }
  const content = documented.content[type];
  assert(content, `${name}: ${type} is not documented`);
  if (type !== "text/event-stream") {
    const value = type === "application/json" ? JSON.parse(text) : text;
    assertEquals(checker.problems(content.schema, value), [], name);
    return [];
  }
  const events = eventsOf(text).filter(({ data }) => data !== "[DONE]");
  for (const { event, data } of events) {
    const schema = content["x-events"][event];
    assert(schema, `${name}: ${event} is not documented`);
    assertEquals(checker.problems(schema, JSON.parse(data)), [], `${name}: ${data}`);
  }
  return events.map(({ event }) => event);
}

async function describe(response: Response): Promise<string> {
  return (await response.clone().text()).slice(0, 300);
}

for (const example of OPERATIONS.flatMap(examplesOf)) {
  const { name, operation: { body: described, parameters: known } } = example;
  Deno.test(`the example ${name} is as its schemas have it`, () => {
    if (described !== undefined) {
      assertEquals(checker.problems(described.schema, example.body), []);
    }
    for (const [key, value] of Object.entries(example.parameters)) {
      const parameter = known.find((each) => each.name === key);
      assertEquals([key, checker.problems(parameter.schema, value)], [key, []]);
    }
    const required = known.filter((each) => each.required).map((each) => each.name);
    assertEquals(required.filter((each) => !(each in example.parameters)), []);
  });
}

for (const example of SERVED.flatMap(examplesOf)) {
  Deno.test(`the example ${example.name} is answered as documented`, async () => {
    const response = await answerTo(example);
    const isCancelling = example.operation.method === "DELETE";
    assertEquals(response.status, isCancelling ? 204 : 200, await describe(response));
    await checkAnswer(response, example);
  });
}

Deno.test("the examples show every type of event, but the error", async () => {
  const seen = new Set<string>();
  for (const example of SERVED.flatMap(examplesOf)) {
    for (const event of await checkAnswer(await answerTo(example), example)) seen.add(event);
  }
  assertEquals([...seen].sort(), ["block", "done", "message", "start", "step"]);
});

for (const name of ["POST /v1/blocks", "POST /v1/completions", "POST /v1/chat/completions"]) {
  Deno.test(`a stream of ${name} that fails is as documented`, async () => {
    const beforeStep = (step: number) => step === 5 ? Promise.reject(new Error("no")) : undefined;
    const { send } = exampleApp({ script: { model: { id: MODEL }, beforeStep } });
    const example = examplesOf(operation(name)).find(({ body }) => body.stream ?? true)!;
    const { url, init } = toWire(example.operation, { body: example.body, values: {} });
    const response = await send(url, init);
    const copy = response.clone();
    await checkAnswer(response, example);
    assert((await copy.text()).includes('"code":"internal_error"'));
  });
}

for (const status of ["loading", "draining", "device_lost", "failed"] as const) {
  Deno.test(`a server that is ${status} is not ready as documented`, async () => {
    const { engine, send } = exampleApp();
    engine.status = status;
    const [example] = examplesOf(operation("GET /ready"));
    const response = await send("/ready");
    assertEquals(response.status, 503);
    await checkAnswer(response, example!);
  });
}

Deno.test("a resumed stream that is over is 204 as documented", async () => {
  const { post, send } = exampleApp();
  const text = await (await post({ prompt: "abc", max_tokens: 4 })).text();
  const last = /id: (blk_[^.]+\.2)\n/.exec(text)![1]!;
  const [example] = examplesOf(operation("GET /v1/blocks/{id}"));
  const response = await send(`/v1/blocks/${last.replace(".2", "")}?last_event_id=${last}`);
  assertEquals(response.status, 204);
  await checkAnswer(response, example!);
});
