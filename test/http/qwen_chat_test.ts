import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import OpenAI from "openai";
import { readText } from "../../src/commands/engines.ts";
import { createApp } from "../../src/server/app.ts";
import { DEFAULT_SETTINGS } from "../../src/server/settings.ts";
import { QWEN_IDS, QWEN_TEMPLATES, QWEN_VOCAB_SIZE, writeQwenChat } from "../support/qwen_chat.ts";
import { ScriptedEngine } from "../support/scripted_engine.ts";
import { withTempDir } from "../support/temp_dir.ts";

// A chat from OpenAI's client to the engine and back, with a tokenizer and templates of the Qwen
// kind. The engine says again what it was asked, control tokens and all.

const END = QWEN_IDS.get("<|im_end|>")!;

interface Chat extends AsyncDisposable {
  readonly client: OpenAI;
  /** The last prompt, with added tokens in «quotes». */
  prompt(): string;
}

function startChat(template: string): Chat {
  const engine = new ScriptedEngine({
    model: {
      vocabSize: QWEN_VOCAB_SIZE,
      eosToken: END,
      stopTokens: [END, QWEN_IDS.get("<|endoftext|>")!],
      maskToken: QWEN_IDS.get("<|MASK|>")!,
    },
  });
  const text = withTempDir((directory) =>
    readText({ directory: writeQwenChat(directory, { template }) }, { chatTemplate: null })
  );
  const app = createApp({
    models: [{ engine, ...text }],
    settings: DEFAULT_SETTINGS,
    version: "1.2.3",
    writeLog: () => {},
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const baseURL = `http://127.0.0.1:${server.addr.port}/v1`;
  const contents = new Map([...QWEN_IDS].map(([content, id]) => [id, `«${content}»`]));
  return {
    client: new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 }),
    prompt: () =>
      engine.submitted.at(-1)!.prompt
        .map((token) => contents.get(token) ?? text.tokenizer.decode([token])).join(""),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const ASK = { model: "test-copy", max_tokens: 64 };
const user = (content: string) => ({ role: "user" as const, content });

Deno.test("openai's client chats with a model of the Qwen kind", async (t) => {
  await using chat = startChat(QWEN_TEMPLATES.thinking);
  const { client } = chat;

  await t.step("an answer ends with the turn, which has no text", async () => {
    const { choices, usage } = await client.chat.completions.create({
      ...ASK,
      messages: [user("Hi")],
    });
    assertEquals(chat.prompt(), "«<|im_start|>»user\nHi«<|im_end|>»\n«<|im_start|>»assistant\n");
    assertEquals(choices[0]?.message.content, "user\nHi");
    assertEquals(choices[0]?.finish_reason, "stop");
    // Up to the end of the turn, which counts.
    const before = chat.prompt().split("«<|im_end|>»")[0]!;
    assertEquals(before, "«<|im_start|>»user\nHi");
    assertEquals(usage!.completion_tokens < usage!.prompt_tokens, true);
  });

  await t.step("control strings in a message end nothing", async () => {
    const spelled = "a<|im_end|>b<|MASK|><think>c<|im_start|>";
    const { choices } = await client.chat.completions.create({ ...ASK, messages: [user(spelled)] });
    assertEquals(choices[0]?.message.content, `user\n${spelled}`);
    assertEquals(choices[0]?.finish_reason, "stop");
  });

  await t.step("a stream says the same", async () => {
    const messages = [user("Two words: café 😀<|im_end|>")];
    const { choices } = await client.chat.completions.create({ ...ASK, messages });
    const stream = client.chat.completions.stream({ ...ASK, messages });
    assertEquals(await stream.finalContent(), choices[0]?.message.content);
    assertEquals(choices[0]?.message.content, `user\n${messages[0]!.content}`);
  });

  await t.step("chats of several turns leave earlier thoughts out", async () => {
    const messages = [
      { role: "system" as const, content: "Be brief." },
      user("Hi"),
      { role: "assistant" as const, content: "<think>\nhm\n</think>\n\nHo" },
      user("So?"),
    ];
    await client.chat.completions.create({ ...ASK, messages });
    assertEquals(
      chat.prompt(),
      "«<|im_start|>»system\nBe brief.«<|im_end|>»\n«<|im_start|>»user\nHi«<|im_end|>»\n" +
        "«<|im_start|>»assistant\nHo«<|im_end|>»\n«<|im_start|>»user\nSo?«<|im_end|>»\n" +
        "«<|im_start|>»assistant\n",
    );
  });

  await t.step("enable_thinking: false begins with an empty thought", async () => {
    const ask = (kwargs: object) => {
      // What the client's types do not know of is sent as it is.
      const fields = { ...ASK, messages: [user("Hi")], chat_template_kwargs: kwargs };
      return client.chat.completions.create(
        fields as OpenAI.ChatCompletionCreateParamsNonStreaming,
      );
    };
    await ask({ enable_thinking: false });
    assertEquals(
      chat.prompt().split("assistant\n").at(-1),
      "«<think>»\n\n«</think>»\n\n",
    );
    await ask({ enable_thinking: true });
    assertEquals(chat.prompt().split("assistant\n").at(-1), "");
    const error = await assertRejects(() => ask({ think: true }), OpenAI.BadRequestError);
    assertEquals([error.code, error.param], ["unknown_parameter", "chat_template_kwargs.think"]);
    assertStringIncludes(error.message, "takes enable_thinking");
  });

  await t.step("diffusing shows drafts, as clients of Inception's read them", async () => {
    const messages = [user("Once upon a time 😀")];
    const { choices } = await client.chat.completions.create({ ...ASK, messages });
    const fields = { ...ASK, messages, stream: true, diffusing: true, block_size: 8 };
    const stream = await client.chat.completions.create(
      fields as OpenAI.ChatCompletionCreateParamsStreaming,
    );
    const screens: string[] = [];
    let isFinal = false;
    for await (const chunk of stream) {
      const { content } = chunk.choices[0]!.delta;
      if (typeof content !== "string") continue;
      if (!("diffusion_meta" in chunk)) {
        screens.push(isFinal ? screens.at(-1)! + content : content);
        isFinal = true;
      } else {
        assertEquals(isFinal, false);
        screens.push(content);
      }
    }
    assertEquals(screens.at(-1), choices[0]?.message.content);
    assertEquals(screens.at(-1), "user\nOnce upon a time 😀");
    assertEquals(screens.filter((each) => each.includes("░")).length > 8, true);
  });

  await t.step("models.retrieve() tells all ends", async () => {
    const model = await client.models.retrieve("test-copy") as unknown as Record<string, unknown>;
    assertEquals(model.stop_token_ids, [END, QWEN_IDS.get("<|endoftext|>")]);
  });
});

Deno.test("openai's client chats with a model that has a system turn of its own", async () => {
  await using chat = startChat(QWEN_TEMPLATES.defaultSystem);
  const { choices } = await chat.client.chat.completions.create({ ...ASK, messages: [user("Hi")] });
  assertEquals(choices[0]?.message.content, "system\nYou are a helpful assistant.");
  assertEquals(
    chat.prompt(),
    "«<|im_start|>»system\nYou are a helpful assistant.«<|im_end|>»\n" +
      "«<|im_start|>»user\nHi«<|im_end|>»\n«<|im_start|>»assistant\n",
  );
});
