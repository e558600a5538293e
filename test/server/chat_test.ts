import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type ChatMessage,
  type ChatTemplate,
  ChatTemplateError,
} from "../../src/text/chat_template.ts";
import { byteTokenizer, errorOf, testApp } from "./support.ts";

const PATH = "/v1/chat/completions";
const MESSAGES = [{ role: "system", content: "s" }, { role: "user", content: "abc" }];
const BODY = { model: "test-copy", messages: MESSAGES, max_tokens: 5, seed: 7 };

/** A template that keeps what it was given; the prompt is the last message's content. */
function template(): ChatTemplate & { seen: readonly ChatMessage[]; set: unknown } {
  return {
    seen: [],
    set: undefined,
    switches: ["enable_thinking", "verbose"],
    tokens(messages, switches) {
      this.seen = messages;
      this.set = switches;
      return byteTokenizer.encode(messages.at(-1)!.content);
    },
  };
}

function chatApp(options: Parameters<typeof testApp>[0] = {}) {
  const chat = template();
  return { ...testApp({ chat, ...options }), chat };
}

Deno.test("a chat is answered as OpenAI does", async () => {
  const { post } = chatApp({ nowMs: () => 1_234_567_890 });
  const { id, system_fingerprint: fingerprint, ...rest } = await (await post(BODY, PATH)).json();
  assertMatch(id, /^chatcmpl-[A-Za-z0-9_-]{22}$/);
  assertMatch(fingerprint, /^bd-[0-9a-f]{12}$/);
  assertEquals(rest, {
    object: "chat.completion",
    created: 1_234_567,
    model: "test-copy",
    choices: [{
      index: 0,
      message: { role: "assistant", content: "abcab", refusal: null },
      logprobs: null,
      finish_reason: "length",
    }],
    usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    diffusion: { seed: 7, strategy: "first_hitting", block_size: 4, blocks: 2, steps: 5, nfe: 5 },
  });
});

Deno.test("each choice of a stream begins with a role and ends with a reason", async () => {
  const { post } = chatApp();
  const text = await (await post({ ...BODY, stream: true, n: 2 }, PATH)).text();
  const lines = text.split("\n\n").slice(1, -1);
  assertEquals(lines.pop(), "data: [DONE]");
  const chunks = lines.map((line) => JSON.parse(line.slice(6)));
  for (const { object } of chunks) assertEquals(object, "chat.completion.chunk");
  for (const index of [0, 1]) {
    const own = chunks.filter(({ choices }) => choices[0].index === index);
    const said = own.map(({ choices: [{ delta, finish_reason }] }) => [delta, finish_reason]);
    assertEquals(said, [
      [{ role: "assistant", content: "" }, null],
      [{ content: "abca" }, null],
      [{ content: "b" }, null],
      [{}, "length"],
    ]);
  }
  assertEquals(chunks.filter((each) => "diffusion" in each), [chunks.at(-1)]);
});

Deno.test("the parts of a content are joined, and a sent-back answer is a message", async () => {
  const { post, chat } = chatApp();
  const parts = [{ type: "text", text: "ab" }, { type: "text", text: "c" }];
  const answer = {
    role: "assistant",
    content: "hm",
    refusal: null,
    tool_calls: [],
    annotations: [],
  };
  const messages = [answer, { role: "user", content: parts, name: "Ann" }];
  assertEquals((await post({ ...BODY, messages }, PATH)).status, 200);
  assertEquals(chat.seen, [
    { role: "assistant", content: "hm" },
    { role: "user", content: "abc", name: "Ann" },
  ]);
});

Deno.test("256 tokens are made where the request does not say, or what fits", async () => {
  const { post } = chatApp({ script: { model: { contextLength: 300 } } });
  const used = async (content: string) => {
    const messages = [{ role: "user", content }];
    const { usage } = await (await post({ model: "test-copy", messages }, PATH)).json();
    return usage.completion_tokens;
  };
  assertEquals([await used("abc"), await used("x".repeat(100))], [256, 200]);
});

Deno.test("max_completion_tokens is another name of max_tokens", async () => {
  const { post } = chatApp();
  const { max_tokens: _, ...body } = BODY;
  const answer = async (more: object) => await post({ ...body, ...more }, PATH);
  const { usage } = await (await answer({ max_completion_tokens: 3 })).json();
  assertEquals(usage.completion_tokens, 3);
  assertEquals((await answer({ max_completion_tokens: 3, max_tokens: 3 })).status, 200);
  const both = await errorOf(await answer({ max_completion_tokens: 3, max_tokens: 4 }));
  assertEquals(both.code, "incompatible_parameters");
  const none = await errorOf(await answer({ max_completion_tokens: 0 }));
  assertEquals([none.code, none.param], ["invalid_value", "max_completion_tokens"]);
});

Deno.test("a model without a template does not chat", async () => {
  const response = await testApp().post(BODY, PATH);
  assertEquals([response.status, (await errorOf(response)).code], [400, "chat_not_supported"]);
});

for (
  const [messages, code, param] of [
    [undefined, "missing_required_parameter", "messages"],
    [null, "missing_required_parameter", "messages"],
    ["hello", "invalid_type", "messages"],
    [[], "invalid_value", "messages"],
    [Array(513).fill(MESSAGES[1]), "invalid_value", "messages"],
    [["hello"], "invalid_type", "messages[0]"],
    [[{ content: "a" }], "missing_required_parameter", "messages[0].role"],
    [[{ role: "user" }], "missing_required_parameter", "messages[0].content"],
    [[{ role: "user", content: null }], "missing_required_parameter", "messages[0].content"],
    [[{ role: "user", content: 5 }], "invalid_type", "messages[0].content"],
    [[{ role: "user", content: [] }], "invalid_value", "messages[0].content"],
    [[{ role: "pope", content: "a" }], "invalid_value", "messages[0].role"],
    [[{ role: "tool", content: "a" }], "unsupported_parameter", "messages[0].role"],
    [[{ role: "function", content: "a" }], "unsupported_parameter", "messages[0].role"],
    [[{ role: "user", content: "a", colour: 1 }], "unknown_parameter", "messages[0].colour"],
    [[{ role: "user", content: "a", name: 1 }], "invalid_type", "messages[0].name"],
    [
      [{ role: "user", content: "a", tool_calls: [1] }],
      "unsupported_parameter",
      "messages[0].tool_calls",
    ],
    [
      [MESSAGES[0], { role: "user", content: [{ type: "image_url" }] }],
      "unsupported_parameter",
      "messages[1].content[0].type",
    ],
    [
      [{ role: "user", content: [{ type: "text" }] }],
      "missing_required_parameter",
      "messages[0].content[0].text",
    ],
    [
      [{ role: "user", content: [{ type: "text", text: "a", x: 1 }] }],
      "unknown_parameter",
      "messages[0].content[0].x",
    ],
  ] as const
) {
  const shown = JSON.stringify(messages)?.slice(0, 60);
  Deno.test(`a chat of ${shown} is ${code} of ${param}`, async () => {
    const response = await chatApp().post({ ...BODY, messages }, PATH);
    const error = await errorOf(response);
    assertEquals([error.code, error.param], [code, param], error.message);
    assertEquals(response.status, 400);
  });
}

Deno.test("a chat that the template does not take is invalid_value of messages", async () => {
  const chat: ChatTemplate = {
    switches: [],
    tokens: () => {
      throw new ChatTemplateError("Roles must alternate");
    },
  };
  const response = await chatApp({ chat }).post(BODY, PATH);
  const { message, code, param } = await errorOf(response);
  assertEquals([response.status, code, param], [400, "invalid_value", "messages"]);
  assertEquals(message, "Roles must alternate");
});

Deno.test("chat_template_kwargs set the template's switches", async () => {
  const { post, chat } = chatApp();
  const set = async (more: object) => {
    assertEquals((await post({ ...BODY, ...more }, PATH)).status, 200);
    return chat.set;
  };
  const kwargs = { enable_thinking: false, verbose: true };
  assertEquals(await set({ chat_template_kwargs: kwargs }), kwargs);
  assertEquals(await set({ chat_template_kwargs: { verbose: false } }), { verbose: false });
  for (const none of [{}, { chat_template_kwargs: {} }, { chat_template_kwargs: null }]) {
    assertEquals(await set(none), {});
  }
  assertEquals(await set({ chat_template_kwargs: { enable_thinking: null } }), {});
});

for (
  const [kwargs, code, param, words] of [
    [{ thinking: true }, "unknown_parameter", ".thinking", "takes enable_thinking, verbose"],
    [{ messages: true }, "unknown_parameter", ".messages", "takes enable_thinking, verbose"],
    [{ thinking: null }, "unknown_parameter", ".thinking", "takes enable_thinking, verbose"],
    [{ enable_thinking: "no" }, "invalid_type", ".enable_thinking", "true or false"],
    [{ enable_thinking: 0 }, "invalid_type", ".enable_thinking", "true or false"],
    [{ enable_thinking: [] }, "invalid_type", ".enable_thinking", "true or false"],
    ["enable_thinking", "invalid_type", "", "an object"],
    [[true], "invalid_type", "", "an object"],
  ] as const
) {
  Deno.test(`chat_template_kwargs of ${JSON.stringify(kwargs)} are ${code}`, async () => {
    const { post, engine } = chatApp();
    const response = await post({ ...BODY, chat_template_kwargs: kwargs }, PATH);
    const error = await errorOf(response);
    assertEquals([response.status, error.code], [400, code]);
    assertEquals(error.param, `chat_template_kwargs${param}`);
    assertStringIncludes(error.message, words);
    assertEquals(engine.submitted, []);
  });
}

Deno.test("chat_template_kwargs are refused by a template without switches", async () => {
  const chat: ChatTemplate = { switches: [], tokens: () => [97] };
  const { post } = chatApp({ chat });
  const response = await post({ ...BODY, chat_template_kwargs: { enable_thinking: true } }, PATH);
  assertStringIncludes((await errorOf(response)).message, "the model's chat template takes none");
});
