import { assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../src/server/errors.ts";
import { parseQuery } from "../../src/server/query.ts";
import { errorOf, testApp } from "./support.ts";

function refusal(search: string): (string | null)[] {
  const error = assertThrows(() => parseQuery(search), RequestError) as RequestError;
  return [error.code, error.param];
}

Deno.test("parseQuery() reads numbers in decimal, booleans and text", () => {
  assertEquals(parseQuery(""), {});
  assertEquals(
    parseQuery("seed=7&temperature=0.5&top_k=-1&trace=true&stream=false&max_tokens=4.0"),
    {
      seed: 7,
      temperature: 0.5,
      top_k: -1,
      trace: true,
      stream: false,
      max_tokens: 4,
    },
  );
  assertEquals(parseQuery("prompt=12&model=true&strategy=&&overflow=1"), {
    prompt: "12",
    model: "true",
    strategy: "",
    overflow: "1",
  });
});

Deno.test("parseQuery() decodes as forms do", () => {
  assertEquals(parseQuery("prompt=a+b%2Bc%20%f0%9f%92%a7%zz%").prompt, "a b+c 💧%zz%");
  assertEquals(parseQuery("prompt=a=b").prompt, "a=b");
  assertEquals(parseQuery("prompt=%EF%BB%BFx").prompt, "\uFEFFx");
  assertEquals(parseQuery("%70rompt=x").prompt, "x");
});

Deno.test("parseQuery() takes stop once or more often, and everything else once", () => {
  assertEquals(parseQuery("stop=a").stop, "a");
  assertEquals(parseQuery("stop=a&stop=b").stop, ["a", "b"]);
  assertEquals(refusal("seed=1&seed=1"), ["invalid_value", "seed"]);
  assertEquals(refusal("prompt=a&x=1&prompt=b"), ["invalid_value", "prompt"]);
});

Deno.test("parseQuery() refuses bytes that are not UTF-8", () => {
  assertEquals(refusal("prompt=%ff"), ["invalid_utf8", "prompt"]);
  assertEquals(refusal("prompt=%ED%A0%80"), ["invalid_utf8", "prompt"]);
  assertEquals(refusal("%ff=1"), ["invalid_utf8", null]);
});

Deno.test("parseQuery() takes prompts up to 4096 characters", () => {
  assertEquals(parseQuery(`prompt=${"💧".repeat(4096)}`).prompt, "💧".repeat(4096));
  assertEquals(refusal(`prompt=${"a".repeat(4097)}`), ["invalid_value", "prompt"]);
});

Deno.test("GET /v1/blocks refuses like POST", async () => {
  const { send } = testApp();
  for (
    const [query, code, param] of [
      ["max_tokens=0", "invalid_value", "max_tokens"],
      ["max_tokens=", "invalid_type", "max_tokens"],
      ["max_tokens=abc", "invalid_type", "max_tokens"],
      ["max_tokens=1e2", "invalid_type", "max_tokens"],
      ["max_tokens=0x10", "invalid_type", "max_tokens"],
      [`seed=${"9".repeat(400)}`, "invalid_value", "seed"],
      ["trace=yes", "invalid_type", "trace"],
      ["trace=1", "invalid_type", "trace"],
      ["stop=", "invalid_value", "stop"],
      ["stop=a&stop=", "invalid_value", "stop[1]"],
      ["promt=a", "unknown_parameter", "promt"],
      ["prompt[]=1", "unknown_parameter", "prompt[]"],
      ["top_logprobs=2", "incompatible_parameters", "top_logprobs"],
      ["logprobs=true&top_logprobs=6", "invalid_value", "top_logprobs"],
      ["logprobs=2", "invalid_type", "logprobs"],
      ["frequency_penalty=0.5", "unsupported_parameter", "frequency_penalty"],
      ["strategy=first_hitting&steps=2", "incompatible_parameters", "steps"],
      ["model=x", "model_not_found", "model"],
      ["prompt=a&prompt=a", "invalid_value", "prompt"],
    ] as const
  ) {
    const error = await errorOf(await send(`/v1/blocks?${query}`));
    assertEquals([query, error.code, error.param], [query, code, param]);
  }
});
