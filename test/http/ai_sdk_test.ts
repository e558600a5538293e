import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, generateText, Output, StreamProviderError, streamText } from "ai";
import { z } from "zod";
import { TestServer } from "../support/test_server.ts";

// What people write with the AI SDK, and what they must get. Its completion model makes one prompt
// of the messages, and stops where the next of the user's would begin.

// It asks for tools even where there are none, and warns on stderr that a completion has none.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

const FLAGS = ["--test-step-ms", "1", "--max-concurrent", "1", "--max-queue", "0"];

Deno.test("the AI SDK generates and streams text", async (t) => {
  await using server = await TestServer.start(...FLAGS, "--fault-injection");
  const baseURL = `${server.address}/v1`;
  const local = createOpenAICompatible({ name: "local", baseURL, includeUsage: true });
  const chat = { model: local.chatModel("test-copy"), prompt: "abc, ", maxRetries: 0 };
  const completion = { ...chat, model: local.completionModel("test-copy") };
  const usageOf = ({ inputTokens, outputTokens, totalTokens }: {
    inputTokens: number | undefined;
    outputTokens: number | undefined;
    totalTokens: number | undefined;
  }) => [inputTokens, outputTokens, totalTokens];

  await t.step("generateText() with a chat model", async () => {
    const { text, finishReason, usage, response } = await generateText({
      ...chat,
      system: "Repeat.",
      maxOutputTokens: 8,
      temperature: 0.5,
      topP: 0.9,
      seed: 3,
    });
    assertEquals([text, finishReason], ["abc, abc", "length"]);
    assertEquals(usageOf(usage), [5, 8, 13]);
    assertEquals(response.modelId, "test-copy");
    assertMatch(response.id, /^chatcmpl-/);
  });

  await t.step("generateText() with a completion model", async () => {
    const { text, finishReason, usage } = await generateText({
      ...completion,
      maxOutputTokens: 60,
    });
    assertEquals([text, finishReason], ["user:\nabc, \n\nassistant:", "stop"]);
    // 24 bytes of prompt, and the text with the "\nuser:" that ended it.
    assertEquals(usageOf(usage), [24, 29, 53]);
  });

  await t.step("a stop sequence ends it", async () => {
    const { text, finishReason } = await generateText({ ...chat, stopSequences: [", a"] });
    assertEquals([text, finishReason], ["abc", "stop"]);
  });

  await t.step("fields of this server's own pass through", async () => {
    const providerOptions = { local: { strategy: "sequential", steps: 1, block_size: 8 } };
    const { response } = await generateText({
      ...chat,
      maxOutputTokens: 16,
      providerOptions,
      include: { responseBody: true },
    });
    // deno-lint-ignore no-explicit-any -- tests look into whatever came
    const { diffusion } = response.body as any;
    assertEquals([diffusion.strategy, diffusion.blocks, diffusion.steps], ["sequential", 2, 2]);
  });

  for (const [name, options] of Object.entries({ chat, completion })) {
    await t.step(`streamText() with a ${name} model`, async () => {
      const result = streamText({ ...options, maxOutputTokens: 23 });
      const deltas = await Array.fromAsync(result.textStream);
      assert(deltas.length > 3, `it came in ${deltas.length} deltas`);
      const expected = name === "chat"
        ? "abc, ".repeat(5).slice(0, 23)
        : "user:\nabc, \n\nassistant:";
      assertEquals(deltas.join(""), expected);
      assertEquals(await result.finishReason, "length");
      assertEquals(usageOf(await result.usage)[1], 23);
    });
  }

  for (
    const { name, act, status, code } of [
      {
        name: "a model that is not served",
        act: () => generateText({ ...chat, model: local.chatModel("gpt-4o") }),
        status: 404,
        code: "model_not_found",
      },
      {
        name: "a length out of range",
        act: () => generateText({ ...completion, maxOutputTokens: 5000 }),
        status: 400,
        code: "invalid_value",
      },
      {
        name: "a penalty",
        act: () => generateText({ ...chat, frequencyPenalty: 0.5 }),
        status: 400,
        code: "unsupported_parameter",
      },
      {
        name: "an object to make",
        act: () => generateText({ ...chat, output: Output.object({ schema: z.object({}) }) }),
        status: 400,
        code: "unsupported_parameter",
      },
      {
        name: "an embedding",
        act: () => embed({ model: local.embeddingModel("test-copy"), value: "x", maxRetries: 0 }),
        status: 404,
        code: "route_not_found",
      },
    ]
  ) {
    await t.step(`${name} is APICallError ${status} ${code}`, async () => {
      const error = await assertRejects(async () => await act(), APICallError);
      assertEquals([error.statusCode, error.isRetryable], [status, false]);
      assertEquals(JSON.parse(error.responseBody ?? "").error.code, code);
    });
  }

  await t.step("a pass that fails in a stream is an error part", async () => {
    const errors: unknown[] = [];
    const result = streamText({
      ...chat,
      maxOutputTokens: 4000,
      onError: ({ error }) => void errors.push(error),
    });
    let text = "";
    for await (const part of result.fullStream) {
      if (part.type !== "text-delta") continue;
      if (text === "") {
        await (await server.post("/debug/faults", { fault: "forward_error" })).body?.cancel();
      }
      text += part.text;
    }
    assert(text.length > 0 && "abc, ".repeat(800).startsWith(text), text);
    assertEquals(errors.map((each) => StreamProviderError.isInstance(each) && each.data), [{
      message: errors[0] instanceof Error ? errors[0].message : "",
      type: "server_error",
      param: null,
      code: "internal_error",
    }]);
    assertEquals(await result.finishReason, "error");
  });

  await t.step("abort ends a stream and frees its place", async () => {
    const leave = new AbortController();
    const { fullStream } = streamText({
      ...chat,
      maxOutputTokens: 4000,
      abortSignal: leave.signal,
    });
    const kinds: string[] = [];
    for await (const { type } of fullStream) {
      kinds.push(type);
      if (type === "text-delta") leave.abort();
    }
    assertEquals(kinds.at(-1), "abort");
    // There is one place. The SDK's own retries wait for it, as long as Retry-After says.
    const { text } = await generateText({ ...chat, maxOutputTokens: 5, maxRetries: 3 });
    assertEquals(text, "abc, ");
  });
});
