import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  PermissionDeniedError,
} from "openai";
import { KeyFile } from "../support/key_file.ts";
import { TestServer } from "../support/test_server.ts";

const KEY = "sk-of-the-tests";
const SHORT = { model: "test-copy", prompt: "ab", max_tokens: 2 };

Deno.test("openai's client gets every refusal as its own class", async (t) => {
  using keys = new KeyFile(`${KEY}\n`);
  await using server = await TestServer.start("--api-key-file", keys.path);
  const options = { baseURL: `${server.address}/v1`, apiKey: KEY, maxRetries: 0 };
  const client = new OpenAI(options);
  const chat = (content: OpenAI.ChatCompletionUserMessageParam["content"]) =>
    client.chat.completions.create({ model: "test-copy", messages: [{ role: "user", content }] });

  for (
    const { name, act, kind, status, code, param } of [
      {
        name: "a value out of range",
        act: () => client.completions.create({ ...SHORT, max_tokens: 0 }),
        kind: BadRequestError,
        status: 400,
        code: "invalid_value",
        param: "max_tokens",
      },
      {
        name: "a prompt that is too long",
        act: () => chat("x".repeat(5000)),
        kind: BadRequestError,
        status: 400,
        code: "context_length_exceeded",
        param: null,
      },
      {
        name: "an image",
        act: () => chat([{ type: "image_url", image_url: { url: "data:," } }]),
        kind: BadRequestError,
        status: 400,
        code: "unsupported_parameter",
        param: "messages[0].content[0].type",
      },
      {
        name: "a function to call",
        act: () =>
          client.chat.completions.create({
            model: "test-copy",
            messages: [{ role: "user", content: "x" }],
            tools: [{ type: "function", function: { name: "f" } }],
          }),
        kind: BadRequestError,
        status: 400,
        code: "unsupported_parameter",
        param: "tools",
      },
      {
        name: "a key that is not known",
        act: () => new OpenAI({ ...options, apiKey: "sk-other" }).models.list(),
        kind: AuthenticationError,
        status: 401,
        code: "invalid_api_key",
        param: null,
      },
      {
        name: "a foreign page",
        act: () => client.models.list({ headers: { Origin: "https://evil.example" } }),
        kind: PermissionDeniedError,
        status: 403,
        code: "origin_not_allowed",
        param: null,
      },
      {
        name: "a model that is not served",
        act: () => client.completions.create({ ...SHORT, model: "gpt-4o" }),
        kind: NotFoundError,
        status: 404,
        code: "model_not_found",
        param: "model",
      },
      {
        name: "a model's name with a slash",
        act: () => client.models.retrieve("other/model"),
        kind: NotFoundError,
        status: 404,
        code: "model_not_found",
        param: "model",
      },
      {
        name: "an endpoint that is not there",
        act: () => client.embeddings.create({ model: "test-copy", input: "x" }),
        kind: NotFoundError,
        status: 404,
        code: "route_not_found",
        param: null,
      },
    ]
  ) {
    await t.step(`${name} is ${kind.name} ${code}`, async () => {
      // Its promises are of a class of their own.
      const error = await assertRejects(async () => await act(), APIError);
      assertEquals(error.constructor, kind);
      assertEquals([error.status, error.code, error.param], [status, code, param]);
      assertMatch(error.requestID ?? "", /^req_/);
      assert(error.message.startsWith(`${status} `), error.message);
    });
  }
});
