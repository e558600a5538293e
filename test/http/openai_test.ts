import { assert, assertEquals, assertMatch } from "@std/assert";
import OpenAI from "openai";
import { TestServer } from "../support/test_server.ts";

// What people write with OpenAI's own client, and what they must get.

function clientOf(server: TestServer): OpenAI {
  return new OpenAI({ baseURL: `${server.address}/v1`, apiKey: "none", maxRetries: 0 });
}

/** What this server says beside what the client's types know of. */
// deno-lint-ignore no-explicit-any -- tests look into whatever came
function whole(answer: object): any {
  return answer;
}

const COMPLETION = { model: "test-copy", prompt: "Hello, ", max_tokens: 14 };
const CHAT = {
  model: "test-copy",
  messages: [
    { role: "system", content: "Repeat." },
    { role: "user", content: "one" },
    { role: "assistant", content: "one" },
    { role: "user", content: "two, " },
  ],
  max_completion_tokens: 15,
} satisfies OpenAI.ChatCompletionCreateParamsNonStreaming;

Deno.test("openai's client completes and chats", async (t) => {
  await using server = await TestServer.start("--test-step-ms", "1");
  const client = clientOf(server);

  await t.step("models.list() and retrieve()", async () => {
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assertEquals(ids, ["test-copy"]);
    const model = whole(await client.models.retrieve("test-copy"));
    assertEquals([model.object, model.owned_by, model.created], ["model", "local", 1_760_000_000]);
    assertEquals([model.context_length, model.vocab_size], [4096, 259]);
  });

  await t.step("completions.create()", async () => {
    const answer = whole(await client.completions.create({ ...COMPLETION, seed: 7 }));
    const { id, created, system_fingerprint, ...rest } = answer;
    assertMatch(id, /^cmpl-/);
    assertMatch(system_fingerprint, /^bd-/);
    assert(Number.isInteger(created), `created is ${created}`);
    assertMatch(answer._request_id, /^req_/);
    assertEquals({ ...rest }, {
      object: "text_completion",
      model: "test-copy",
      choices: [{ index: 0, text: "Hello, Hello, ", logprobs: null, finish_reason: "length" }],
      usage: { prompt_tokens: 7, completion_tokens: 14, total_tokens: 21 },
      diffusion: {
        seed: 7,
        strategy: "first_hitting",
        block_size: 4,
        blocks: 4,
        steps: 16,
        nfe: 16,
      },
    });
  });

  await t.step("max_tokens is 16 where it is not given", async () => {
    const { choices, usage } = await client.completions.create({
      model: "test-copy",
      prompt: "abc",
    });
    assertEquals([choices[0]?.text, usage?.completion_tokens], ["abcabcabcabcabca", 16]);
  });

  await t.step("several prompts and choices come in order", async () => {
    const ask = { ...COMPLETION, max_tokens: 4, n: 2 };
    const strings = await client.completions.create({ ...ask, prompt: ["ab", "c", "defgh"] });
    const texts = strings.choices.map(({ index, text }) => `${index} ${text}`);
    assertEquals(texts, ["0 abab", "1 abab", "2 cccc", "3 cccc", "4 defg", "5 defg"]);
    assertEquals(strings.usage, { prompt_tokens: 8, completion_tokens: 24, total_tokens: 32 });
    const tokens = await client.completions.create({ ...ask, prompt: [[104, 105], [33]] });
    assertEquals(tokens.choices.map(({ text }) => text), ["hihi", "hihi", "!!!!", "!!!!"]);
    const one = await client.completions.create({ ...ask, n: 1, prompt: [104, 105] });
    assertEquals(one.choices.map(({ text }) => text), ["hihi"]);
  });

  await t.step("echo puts the prompt before the text", async () => {
    const { choices, usage } = await client.completions.create({ ...COMPLETION, echo: true });
    assertEquals(choices[0]?.text, "Hello, Hello, Hello, ");
    assertEquals(usage?.completion_tokens, 14);
  });

  await t.step("stop ends the text before the string", async () => {
    const stop = ["lo", ", H"];
    const { choices, usage } = await client.completions.create({ ...COMPLETION, stop });
    const [choice] = choices;
    assertEquals([choice?.text, choice?.finish_reason], ["Hel", "stop"]);
    assertEquals(usage?.completion_tokens, 5);
    const { choices: others } = await client.completions.create({ ...COMPLETION, stop: ", He" });
    assertEquals(others[0]?.text, "Hello");
  });

  await t.step("fields of this server's own pass through", async () => {
    const own = { strategy: "sequential", steps: 2, block_size: 8, top_k: 5 };
    const { diffusion } = whole(await client.completions.create({ ...COMPLETION, ...own }));
    assertEquals([diffusion.strategy, diffusion.block_size, diffusion.steps], ["sequential", 8, 4]);
  });

  await t.step("completions.create() streams what it would answer", async () => {
    const ask = { ...COMPLETION, n: 2, seed: 5, echo: true };
    const answer = whole(await client.completions.create(ask));
    const chunks = [];
    for await (const chunk of await client.completions.create({ ...ask, stream: true })) {
      chunks.push(whole(chunk));
    }
    const heads = chunks.map(({ id, object, created, model, system_fingerprint }) =>
      [id, object, created, model, system_fingerprint].join()
    );
    assertEquals(new Set(heads).size, 1);
    assertEquals([chunks[0].object, chunks[0].model], ["text_completion", "test-copy"]);
    for (const choice of answer.choices) {
      const own = chunks.flatMap(({ choices }) => choices).filter(({ index }) =>
        index === choice.index
      );
      assertEquals(own.map(({ text }) => text).join(""), choice.text);
      const reasons = own.map(({ finish_reason }) => finish_reason);
      assertEquals(reasons, [...Array(own.length - 1).fill(null), "length"]);
      assertEquals(own.at(-1)?.text, "");
    }
    const diffusions = chunks.map(({ diffusion }) => diffusion).filter((each) => each);
    assertEquals(diffusions, [answer.diffusion]);
    assertEquals(chunks.at(-1).diffusion, answer.diffusion);
    assert(chunks.every((chunk) => !("usage" in chunk)), "usage was not asked for");
  });

  await t.step("include_usage adds a last chunk", async () => {
    const stream = await client.completions.create({
      ...COMPLETION,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await Array.fromAsync(stream);
    assertEquals(chunks.pop()?.choices, []);
    assert(chunks.every(({ usage }) => usage === null), "an early chunk has usage");
  });

  await t.step("chat.completions.create()", async () => {
    const answer = whole(await client.chat.completions.create({ ...CHAT, n: 2, seed: 1 }));
    assertMatch(answer.id, /^chatcmpl-/);
    assertEquals(answer.object, "chat.completion");
    const message = { role: "assistant", content: "two, two, two, ", refusal: null };
    assertEquals(answer.choices, [
      { index: 0, message, logprobs: null, finish_reason: "length" },
      { index: 1, message, logprobs: null, finish_reason: "length" },
    ]);
    assertEquals(answer.usage, { prompt_tokens: 5, completion_tokens: 30, total_tokens: 35 });
    assertEquals(answer.diffusion.seed, 1);
  });

  await t.step("completions.create() has probabilities, streamed and not", async () => {
    const ask = { ...COMPLETION, seed: 7, logprobs: 3 };
    const { choices: [choice] } = await client.completions.create(ask);
    const { tokens = [], token_logprobs, top_logprobs, text_offset } = choice!.logprobs!;
    assertEquals(tokens.join(""), choice!.text);
    assertEquals(text_offset, [...tokens.keys()]);
    top_logprobs!.forEach((top, i) => {
      const shares = Object.values(top).map(Math.exp);
      assertEquals(shares.length, 3);
      assertEquals(top[tokens[i]!], token_logprobs![i]);
      assert(shares.reduce((sum, each) => sum + each) <= 1, `${shares}`);
    });
    const chunks = await Array.fromAsync(await client.completions.create({ ...ask, stream: true }));
    const streamed = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.token_logprobs ?? []);
    assertEquals(streamed, token_logprobs);
  });

  await t.step("chat.completions.create() has probabilities, streamed and not", async () => {
    const ask = { ...CHAT, seed: 7, logprobs: true, top_logprobs: 5 };
    const { choices: [choice] } = await client.chat.completions.create(ask);
    const content = choice!.logprobs!.content!;
    assertEquals(content.map(({ token }) => token).join(""), choice!.message.content);
    for (const { token, logprob, bytes, top_logprobs: top } of content) {
      assertEquals(bytes, [...new TextEncoder().encode(token)]);
      assertEquals(top.map((each) => each.logprob).toSorted((a, b) => b - a)[0], logprob);
      assertEquals(top.length, 5);
    }
    // The client's own helper puts the pieces together.
    const stream = client.chat.completions.stream({ ...ask, stream: true });
    const final = await stream.finalChatCompletion();
    assertEquals(final.choices[0]!.logprobs!.content, content);
  });

  await t.step("an answer's message can be sent back", async () => {
    const first = await client.chat.completions.create(CHAT);
    const messages = [...CHAT.messages, first.choices[0]!.message, {
      role: "user" as const,
      content: [{ type: "text" as const, text: "th" }, { type: "text" as const, text: "ree" }],
    }];
    const { choices } = await client.chat.completions.create({ ...CHAT, messages });
    assertEquals(choices[0]?.message.content, "threethreethree");
  });

  await t.step("chat.completions.create() streams deltas", async () => {
    const stream = await client.chat.completions.create({
      ...CHAT,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = (await Array.fromAsync(stream)).map(whole);
    const usage = chunks.pop();
    assertEquals([usage.choices, usage.usage.total_tokens], [[], 20]);
    const deltas = chunks.map(({ choices }) => choices[0].delta);
    assertEquals([deltas[0], deltas.at(-1)], [{ role: "assistant", content: "" }, {}]);
    assertEquals(deltas.slice(1, -1).map(({ content }) => content), [
      "two,",
      " two",
      ", tw",
      "o, ",
    ]);
    assertEquals(chunks.at(-1).choices[0].finish_reason, "length");
    assert(chunks.every(({ object }) => object === "chat.completion.chunk"), "not chunks all");
  });

  await t.step("chat.completions.stream() gathers a whole answer", async () => {
    const stop = ["o, t"];
    const stream = client.chat.completions.stream({
      ...CHAT,
      stop,
      stream_options: { include_usage: true },
    });
    const deltas: string[] = [];
    stream.on("content", (delta) => deltas.push(delta));
    assertEquals(await stream.finalContent(), "tw");
    assertEquals(deltas.join(""), "tw");
    const { choices } = await stream.finalChatCompletion();
    assertEquals([choices[0]?.finish_reason, choices[0]?.message.role], ["stop", "assistant"]);
    assertEquals((await stream.totalUsage()).completion_tokens, 6);
  });

  await t.step("a stream can be read as a ReadableStream", async () => {
    const stream = await client.completions.create({ ...COMPLETION, stream: true });
    const lines = (await new Response(stream.toReadableStream()).text()).trim().split("\n");
    const text = lines.map((line) => JSON.parse(line).choices[0].text).join("");
    assertEquals(text, "Hello, Hello, ");
  });
});
