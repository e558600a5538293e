import { assertEquals } from "@std/assert";
import { createParser } from "eventsource-parser";
import { Drafts } from "../../src/server/drafts.ts";
import type { ChatTemplate } from "../../src/text/chat_template.ts";
import { byteTokenizer, errorOf, testApp } from "./support.ts";

const PATH = "/v1/chat/completions";
const BODY = {
  model: "test-copy",
  messages: [{ role: "user", content: "abcdef" }],
  max_tokens: 6,
  stream: true,
  diffusing: true,
};

/** The prompt is what the last message says; the scripted engine says it again. */
const CHAT: ChatTemplate = {
  switches: [],
  tokens: (messages) => byteTokenizer.encode(messages.at(-1)!.content),
};

/** Chunks of a stream, as an SSE parser reads them; its `[DONE]` is checked and left out. */
// deno-lint-ignore no-explicit-any -- tests look into whatever came
async function chunksOf(response: Response): Promise<any[]> {
  const found: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => found.push(data) });
  parser.feed(await response.text());
  assertEquals(found.pop(), "[DONE]");
  return found.map((data) => JSON.parse(data));
}

function tokens(text: string): (number | null)[] {
  return [...text].map((each) => each === "_" ? null : each.charCodeAt(0));
}

Deno.test("Drafts show the whole text, a mask for each token that is not known", () => {
  const drafts = new Drafts({ tokenizer: byteTokenizer }, { maxTokens: 8 });
  assertEquals(drafts.step(tokens("_b__")), { text: "░b░░", progress: 0.125 });
  assertEquals(drafts.step(tokens("ab_d")), { text: "ab░d", progress: 0.375 });
  const block = { text: "abcd", tokens: [97, 98, 99, 100] };
  assertEquals(drafts.block(block), { text: "abcd", progress: 0.5 });
  assertEquals(drafts.step(tokens("__")), { text: "abcd░░", progress: 0.5 });
  assertEquals(drafts.step(tokens("_f")), { text: "abcd░f", progress: 0.625 });
  assertEquals(drafts.end(), { text: "abcd", progress: 1 });
  assertEquals(drafts.text, "abcd");
});

Deno.test("Drafts decode neighbours together, and show parts of characters as U+FFFD", () => {
  const drafts = new Drafts({ tokenizer: byteTokenizer }, { maxTokens: 4 });
  const [first, second] = new TextEncoder().encode("é") as unknown as [number, number];
  assertEquals(drafts.step([first, null, 33, null]).text, "\ufffd░!░");
  assertEquals(drafts.step([first, second, 33, 257]).text, "é!");
});

Deno.test("Drafts never go back in their progress, nor past its end", () => {
  const drafts = new Drafts({ tokenizer: byteTokenizer }, { maxTokens: 3 });
  assertEquals(drafts.step(tokens("ab_")).progress, 0.6667);
  assertEquals(drafts.block({ text: "a", tokens: [97] }).progress, 0.6667);
  assertEquals(drafts.step(tokens("abcd")).progress, 1);
});

Deno.test("diffusing sends drafts that replace each other, then the whole message", async () => {
  const { post } = testApp({ chat: CHAT });
  const chunks = await chunksOf(await post(BODY, PATH));
  const seen = chunks.map(({ choices: [{ delta, finish_reason }], diffusion_meta }) => [
    delta.content ?? null,
    diffusion_meta?.diffusion_progress ?? null,
    finish_reason,
  ]);
  assertEquals(seen, [
    ["", 0, null],
    ["a░░░", 0.1667, null],
    ["ab░░", 0.3333, null],
    ["abc░", 0.5, null],
    ["abcd", 0.6667, null],
    ["abcd", 0.6667, null],
    ["abcde░", 0.8333, null],
    ["abcdef", 1, null],
    ["abcdef", 1, null],
    ["abcdef", 1, null],
    ["abcdef", null, null],
    [null, null, "length"],
  ]);
  assertEquals(chunks[0].choices[0].delta, { role: "assistant", content: "" });
  for (const { diffusion_meta: meta } of chunks.slice(0, -2)) {
    assertEquals(meta.diffusion_content, true);
  }
  assertEquals(chunks.at(-1).diffusion.steps, 6);
  assertEquals(new Set(chunks.map(({ id }) => id)).size, 1);
});

Deno.test("without diffusing a stream has no drafts, and its sequences no steps", async () => {
  for (const diffusing of [false, null, undefined]) {
    const { post, engine } = testApp({ chat: CHAT });
    const chunks = await chunksOf(await post({ ...BODY, diffusing }, PATH));
    assertEquals(chunks.some((chunk) => "diffusion_meta" in chunk), false);
    assertEquals(chunks.map(({ choices: [{ delta }] }) => delta.content), [
      ...["", "abcd", "ef", undefined],
    ]);
    assertEquals(engine.submitted[0]!.trace, false);
  }
});

Deno.test("drafts end in what the answer without them says", async () => {
  for (
    const more of [
      { stop: "de" },
      { stop: "a" },
      { n: 3, max_tokens: 5 },
      { block_size: 1 },
      { messages: [{ role: "user", content: "日本語😀" }], max_tokens: 13, block_size: 8 },
      { stream_options: { include_usage: true } },
    ]
  ) {
    const body = { ...BODY, seed: 1, ...more };
    const { post } = testApp({ chat: CHAT });
    const { stream: _, stream_options: __, diffusing: ___, ...plain } = body as Record<
      string,
      unknown
    >;
    const { choices } = await (await post(plain, PATH)).json();
    const chunks = await chunksOf(await post(body, PATH));
    const last = chunks.at(-1);
    if ("stream_options" in more) {
      assertEquals([last.choices, last.usage.completion_tokens], [[], 6]);
      assertEquals(chunks.slice(0, -1).every(({ usage }) => usage === null), true);
      chunks.pop();
    }
    for (const { index, message } of choices) {
      const own = chunks.filter(({ choices: [choice] }) => choice.index === index);
      const drafts = own.filter((chunk) => "diffusion_meta" in chunk);
      const text = own.filter((chunk) => !("diffusion_meta" in chunk));
      // All drafts come first, the last of them complete; then one chunk with all of the text.
      assertEquals(own, [...drafts, ...text]);
      assertEquals(text.map(({ choices: [{ delta }] }) => delta), [
        { content: message.content },
        {},
      ]);
      const progress = drafts.map(({ diffusion_meta }) => diffusion_meta.diffusion_progress);
      assertEquals(progress, progress.toSorted((a, b) => a - b));
      assertEquals([progress[0], progress.at(-1)], [0, 1]);
      assertEquals(drafts.at(-1).choices[0].delta.content, message.content);
    }
  }
});

Deno.test("diffusing needs a stream", async () => {
  for (const stream of [false, undefined]) {
    const { post, engine } = testApp({ chat: CHAT });
    const response = await post({ ...BODY, stream }, PATH);
    const { code, param } = await errorOf(response);
    assertEquals([response.status, code, param], [400, "incompatible_parameters", "diffusing"]);
    assertEquals(engine.submitted, []);
    assertEquals((await post({ ...BODY, stream, diffusing: false }, PATH)).status, 200);
  }
  const { post } = testApp({ chat: CHAT });
  assertEquals((await errorOf(await post({ ...BODY, diffusing: 1 }, PATH))).code, "invalid_type");
  const other = await post({ model: "test-copy", prompt: "a", diffusing: true }, "/v1/completions");
  assertEquals((await errorOf(other)).code, "unknown_parameter");
});

Deno.test("a draft stream that fails has no text after its drafts", async () => {
  const beforeStep = (step: number) => step === 5 ? Promise.reject(new Error("no")) : undefined;
  const { post } = testApp({ chat: CHAT, script: { beforeStep } });
  const text = await (await post(BODY, PATH)).text();
  const events = text.split("\n\n").filter((each) => each.startsWith("data: "))
    .map((each) => JSON.parse(each.slice(6)));
  assertEquals(events.pop().error.code, "internal_error");
  assertEquals(events.every((chunk) => "diffusion_meta" in chunk), true);
});
