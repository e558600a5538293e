import { assertEquals, assertMatch } from "@std/assert";
import { errorOf, testApp } from "./support.ts";

const PATH = "/v1/completions";
const BODY = { model: "test-copy", prompt: "abc", max_tokens: 5, seed: 7 };

/** The JSON of a stream's lines; the last one as it is. */
function chunksOf(text: string): unknown[] {
  const [retry, ...rest] = text.split("\n\n");
  assertEquals([retry, rest.pop()], ["retry: 2000", ""]);
  return rest.map((line) => {
    assertMatch(line, /^data: [^\n]*$/);
    return line === "data: [DONE]" ? "[DONE]" : JSON.parse(line.slice(6));
  });
}

Deno.test("a completion is answered as OpenAI does", async () => {
  const { post } = testApp({ nowMs: () => 1_234_567_890 });
  const response = await post(BODY, PATH);
  assertEquals(response.status, 200);
  const { id, system_fingerprint: fingerprint, ...rest } = await response.json();
  assertMatch(id, /^cmpl-[A-Za-z0-9_-]{22}$/);
  assertMatch(fingerprint, /^bd-[0-9a-f]{12}$/);
  assertEquals(rest, {
    object: "text_completion",
    created: 1_234_567,
    model: "test-copy",
    choices: [{ index: 0, text: "abcab", logprobs: null, finish_reason: "length" }],
    usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    diffusion: {
      seed: 7,
      strategy: "first_hitting",
      block_size: 4,
      blocks: 2,
      steps: 5,
      nfe: 5,
    },
  });
});

Deno.test("a stream has a chunk for every block, an end, and [DONE]", async () => {
  const { post } = testApp();
  const response = await post({ ...BODY, stream: true }, PATH);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const chunks = chunksOf(await response.text());
  // deno-lint-ignore no-explicit-any -- whatever was sent
  const objects = chunks.slice(0, -1) as any[];
  const { id, created, system_fingerprint } = objects[0];
  const head = { id, object: "text_completion", created, model: "test-copy", system_fingerprint };
  const chunk = (text: string, finish_reason: string | null) => ({
    ...head,
    choices: [{ index: 0, text, logprobs: null, finish_reason }],
  });
  const diffusion = { seed: 7, strategy: "first_hitting", block_size: 4, blocks: 2, steps: 5 };
  assertEquals<unknown>(chunks, [
    chunk("abca", null),
    chunk("b", null),
    { ...chunk("", "length"), diffusion: { ...diffusion, nfe: 5 } },
    "[DONE]",
  ]);
});

Deno.test("include_usage adds a chunk with the usage, and usage: null to the others", async () => {
  const { post } = testApp();
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = chunksOf(await (await post({ ...BODY, ...options, n: 2 }, PATH)).text());
  // deno-lint-ignore no-explicit-any -- whatever was sent
  const objects = chunks.slice(0, -1) as any[];
  const last = objects.pop();
  assertEquals(last.choices, []);
  assertEquals(last.usage, { prompt_tokens: 3, completion_tokens: 10, total_tokens: 13 });
  assertEquals(objects.every(({ usage }) => usage === null), true);
  const ends = objects.filter(({ choices }) => choices[0].finish_reason !== null);
  assertEquals(ends.map(({ diffusion }) => diffusion?.blocks), [undefined, 4]);
});

Deno.test("choices of several prompts are in order, each prompt counted once", async () => {
  const { post, engine } = testApp();
  const prompt = ["ab", "xyz"];
  const body = { ...BODY, prompt, n: 2, max_tokens: 4 };
  const { choices, usage, diffusion } = await (await post(body, PATH)).json();
  assertEquals(choices.map((each: { index: number; text: string }) => [each.index, each.text]), [
    [0, "abab"],
    [1, "abab"],
    [2, "xyzx"],
    [3, "xyzx"],
  ]);
  assertEquals(usage, { prompt_tokens: 5, completion_tokens: 16, total_tokens: 21 });
  assertEquals([diffusion.seed, diffusion.blocks, diffusion.steps], [7, 4, 16]);
  const keys = engine.submitted.map(({ seed, choice }) => [seed, choice]);
  assertEquals(keys, [[7, 0], [7, 1], [7, 0], [7, 1]]);
});

Deno.test("prompts may be token ids, one or several", async () => {
  const { post } = testApp();
  const texts = async (prompt: unknown, more: object = {}) => {
    const { choices } = await (await post({ ...BODY, prompt, ...more }, PATH)).json();
    return choices.map(({ text }: { text: string }) => text);
  };
  assertEquals(await texts([97, 98]), ["ababa"]);
  assertEquals(await texts([[97, 98], [99]]), ["ababa", "ccccc"]);
  assertEquals(await texts([97, 98], { echo: true }), ["abababa"]);
  assertEquals(await texts(["", "z"]), ["aaaaa", "zzzzz"]);
  assertEquals(await texts("\ufeffé", { echo: true }), ["\ufeffé\ufeffé"]);
});

Deno.test("a stream says what the answer to the same request says", async () => {
  const { post } = testApp();
  for (
    const more of [{}, { echo: true }, { n: 3, prompt: ["a", "bc"] }, { stop: "ca" }, {
      prompt: [97, 257],
      max_tokens: 9,
      echo: true,
    }, { prompt: "日本", block_size: 1, max_tokens: 5 }]
  ) {
    const body = { ...BODY, ...more };
    const { choices } = await (await post(body, PATH)).json();
    const chunks = chunksOf(await (await post({ ...body, stream: true }, PATH)).text());
    const texts: string[] = [];
    const reasons: string[] = [];
    // deno-lint-ignore no-explicit-any -- whatever was sent
    for (const { choices: [{ index, text, finish_reason }] } of chunks.slice(0, -1) as any[]) {
      texts[index] = (texts[index] ?? "") + text;
      if (finish_reason) reasons[index] = finish_reason;
    }
    assertEquals(texts, choices.map((each: { text: string }) => each.text));
    assertEquals(reasons, choices.map((each: { finish_reason: string }) => each.finish_reason));
  }
});

Deno.test("16 tokens are made where the request does not say, or what fits", async () => {
  const { post } = testApp({ script: { model: { contextLength: 20 } } });
  const used = async (prompt: string) => {
    const { usage } = await (await post({ model: "test-copy", prompt }, PATH)).json();
    return usage.completion_tokens;
  };
  assertEquals([await used("abc"), await used("x".repeat(10))], [16, 10]);
  const full = await post({ model: "test-copy", prompt: "x".repeat(20) }, PATH);
  assertEquals((await errorOf(full)).code, "context_length_exceeded");
});

Deno.test("a request with more choices than there is room for runs none of them", async () => {
  const { post, engine } = testApp({ script: { maxConcurrent: 2, maxQueue: 1 } });
  const response = await post({ ...BODY, n: 4 }, PATH);
  assertEquals([response.status, (await errorOf(response)).code], [429, "queue_full"]);
  assertMatch(response.headers.get("retry-after")!, /^[1-9]\d*$/);
  assertEquals(engine.submitted.length, 0);
  assertEquals((await post({ ...BODY, n: 3 }, PATH)).status, 200);
});

Deno.test("a failure is the answer's status, and a stream's last event without [DONE]", async () => {
  const beforeStep = (step: number) => step === 6 ? Promise.reject(new Error("secret")) : undefined;
  const whole = testApp({ script: { beforeStep } });
  const response = await whole.post({ ...BODY, max_tokens: 8 }, PATH);
  assertEquals([response.status, (await errorOf(response)).code], [500, "internal_error"]);
  const streamed = testApp({ script: { beforeStep } });
  const text = await (await streamed.post({ ...BODY, max_tokens: 8, stream: true }, PATH)).text();
  const last = text.trimEnd().split("\n\n").at(-1)!;
  const { error } = JSON.parse(last.replace("data: ", ""));
  assertEquals([error.type, error.code], ["server_error", "internal_error"]);
  assertEquals(text.includes("[DONE]") || text.includes("secret"), false);
});

Deno.test("one failing choice ends the whole request", async () => {
  let begun = 0;
  const beforeStep = () => {
    begun += 1;
    return begun === 1 ? Promise.reject(new Error("no")) : new Promise<void>(() => {});
  };
  const { post, engine } = testApp({ script: { beforeStep } });
  const response = await post({ ...BODY, n: 2 }, PATH);
  assertEquals(response.status, 500);
  await engine.idle;
  assertEquals([begun, engine.cancelled], [2, 1]);
});

Deno.test("a reader that leaves a stream, or an answer, ends all choices", async () => {
  const forever = () => new Promise<void>(() => {});
  const { post, send, engine } = testApp({ script: { beforeStep: forever } });
  const response = await post({ ...BODY, n: 2, stream: true }, PATH);
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  await engine.idle;
  assertEquals(engine.cancelled, 2);
  const gone = new AbortController();
  const pending = send(PATH, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...BODY, n: 3 }),
    signal: gone.signal,
  });
  while (engine.submitted.length < 5) await new Promise((done) => setTimeout(done, 0));
  gone.abort();
  assertEquals((await pending).status, 499);
  await engine.idle;
  assertEquals(engine.cancelled, 5);
});

Deno.test("time that runs out is generation_timeout, after the engine has ended it", async () => {
  const forever = () => new Promise<void>(() => {});
  const { post, engine } = testApp({
    script: { beforeStep: forever },
    settings: { requestTimeoutMs: 1 },
  });
  const response = await post({ ...BODY, n: 2 }, PATH);
  assertEquals([response.status, (await errorOf(response)).code], [504, "generation_timeout"]);
  await engine.idle;
  assertEquals(engine.cancelled, 2);
});

for (
  const [more, code, param] of [
    [{ model: undefined }, "missing_required_parameter", "model"],
    [{ model: null }, "missing_required_parameter", "model"],
    [{ prompt: undefined }, "missing_required_parameter", "prompt"],
    [{ model: "other" }, "model_not_found", "model"],
    [{ model: 1 }, "invalid_type", "model"],
    [{ prompt: 5 }, "invalid_type", "prompt"],
    [{ prompt: [] }, "invalid_value", "prompt"],
    [{ prompt: [[]] }, "invalid_value", "prompt[0]"],
    [{ prompt: Array(17).fill("a") }, "invalid_value", "prompt"],
    [{ prompt: [97, "b"] }, "invalid_type", "prompt[1]"],
    [{ prompt: [97, 1.5] }, "invalid_value", "prompt[1]"],
    [{ prompt: [1.5] }, "invalid_value", "prompt[0]"],
    [{ prompt: [[97], [1.5]] }, "invalid_value", "prompt[1][0]"],
    [{ prompt: [97, 258] }, "token_out_of_range", "prompt[1]"],
    [{ prompt: [[97], [97, 259]] }, "token_out_of_range", "prompt[1][1]"],
    [{ n: 0 }, "invalid_value", "n"],
    [{ n: 9 }, "invalid_value", "n"],
    [{ n: 8, prompt: Array(5).fill("a") }, "invalid_value", "n"],
    [{ echo: "yes" }, "invalid_type", "echo"],
    [{ stream_options: { include_usage: true } }, "incompatible_parameters", "stream_options"],
    [{ stream: true, stream_options: { x: 1 } }, "unknown_parameter", "stream_options.x"],
    [
      { stream: true, stream_options: { include_usage: 1 } },
      "invalid_type",
      "stream_options.include_usage",
    ],
    [{ logprobs: 6 }, "invalid_value", "logprobs"],
    [{ logprobs: -1 }, "invalid_value", "logprobs"],
    [{ logprobs: 0.5 }, "invalid_value", "logprobs"],
    [{ logprobs: true }, "invalid_value", "logprobs"],
    [{ logprobs: "5" }, "invalid_type", "logprobs"],
    [{ logprobs: 5, top_logprobs: 5 }, "unsupported_parameter", "top_logprobs"],
    [{ step_map: 1 }, "invalid_type", "step_map"],
    [{ best_of: 2 }, "unsupported_parameter", "best_of"],
    [{ suffix: "x" }, "unsupported_parameter", "suffix"],
    [{ metadata: { a: 1 } }, "invalid_type", "metadata.a"],
    [{ messages: [] }, "unknown_parameter", "messages"],
    [{ resume_ms: 0 }, "unknown_parameter", "resume_ms"],
    [{ trace: true }, "unknown_parameter", "trace"],
    [{ max_completion_tokens: 3 }, "unknown_parameter", "max_completion_tokens"],
  ] as const
) {
  Deno.test(`a completion with ${JSON.stringify(more)} is ${code} of ${param}`, async () => {
    const response = await testApp().post({ ...BODY, ...more }, PATH);
    const error = await errorOf(response);
    assertEquals([error.code, error.param], [code, param], error.message);
    assertEquals(response.status, code === "model_not_found" ? 404 : 400);
  });
}

Deno.test("what OpenAI's clients send beside is accepted where it changes nothing", async () => {
  const { post } = testApp();
  const more = { user: "u", metadata: { a: "b" }, store: false, logit_bias: {}, best_of: 1 };
  const neutral = { frequency_penalty: 0, presence_penalty: 0, logprobs: null, suffix: null };
  assertEquals((await post({ ...BODY, ...more, ...neutral }, PATH)).status, 200);
  const streamed = { stream: true, stream_options: { include_usage: null } };
  assertEquals((await post({ ...BODY, ...streamed }, PATH)).status, 200);
});
