import { assertEquals } from "@std/assert";
import type { SequenceRequest } from "../../src/engine/request.ts";
import { usageData } from "../../src/server/usage.ts";
import { testApp } from "./support.ts";

const BODY = { model: "test-copy", max_tokens: 1, seed: 7 };
const STREAM = { stream: true, stream_options: { include_usage: true } };

/** The usage at the end of a stream of OpenAI's. */
function usageOf(text: string): Record<string, unknown> {
  const lines = text.split("\n\n").filter((line) => line.startsWith("data: {"));
  return JSON.parse(lines.at(-1)!.slice("data: ".length)).usage;
}

Deno.test("usageData() tells of the cache only where it had some of the prompt", () => {
  const counts = { promptTokens: 3, completionTokens: 4 };
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  assertEquals<unknown>(usageData({ ...counts, cachedTokens: 0 }), usage);
  assertEquals<unknown>(usageData({ ...counts, cachedTokens: 2 }), {
    ...usage,
    prompt_tokens_details: { cached_tokens: 2 },
  });
});

Deno.test("usage has the cached tokens of each prompt as its first choice found them", async () => {
  const cachedTokens = ({ prompt, choice }: SequenceRequest) =>
    choice === 1 ? prompt.length : prompt.length === 3 ? 0 : prompt.length - 1;
  const { post } = testApp({ script: { cachedTokens } });
  const body = { ...BODY, prompt: ["ab", "xyz", "vwxyz"], n: 2 };
  const expected = {
    prompt_tokens: 10,
    completion_tokens: 6,
    total_tokens: 16,
    prompt_tokens_details: { cached_tokens: 1 + 4 },
  };
  const { usage } = await (await post(body, "/v1/completions")).json();
  assertEquals(usage, expected);
  const stream = await post({ ...body, ...STREAM }, "/v1/completions");
  assertEquals(usageOf(await stream.text()), expected);
});

Deno.test("usage of a stream is the same whichever choice ends first", async () => {
  const cachedTokens = ({ choice }: SequenceRequest) => choice === 0 ? 2 : 3;
  const held = Promise.withResolvers<void>();
  // The first choice takes its only step when the second has ended.
  let steps = 0;
  const beforeStep = () => steps++ === 0 ? held.promise : undefined;
  const { post, engine } = testApp({ script: { cachedTokens, beforeStep } });
  const body = { ...BODY, ...STREAM, prompt: "abc", n: 2 };
  const text = post(body, "/v1/completions").then((response) => response.text());
  while (engine.stats.running !== 1) await new Promise((done) => setTimeout(done));
  held.resolve();
  assertEquals(usageOf(await text).prompt_tokens_details, { cached_tokens: 2 });
});

Deno.test("/v1/blocks tells of cached tokens, too", async () => {
  const { post } = testApp({ script: { cachedTokens: () => 2 } });
  const whole = await (await post({ prompt: "abc", max_tokens: 1, stream: false })).json();
  assertEquals(whole.usage.prompt_tokens_details, { cached_tokens: 2 });
  const stream = await (await post({ prompt: "abc", max_tokens: 1 })).text();
  assertEquals(/"prompt_tokens_details":{"cached_tokens":2}/.test(stream), true);
});
