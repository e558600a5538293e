import { assertEquals } from "@std/assert";
import { createParser } from "eventsource-parser";
import {
  chatLogprobs,
  ChoiceFacts,
  completionLogprobs,
  joinFacts,
} from "../../src/server/openai_facts.ts";
import type { ChatTemplate } from "../../src/text/chat_template.ts";
import { byteTokenizer, testApp } from "./support.ts";

/** The end of the test model, and the bytes of a drop, "💧". */
const EOS = 257;
const DROP = [0xf0, 0x9f, 0x92, 0xa7];

const CHAT: ChatTemplate = {
  switches: [],
  tokens: (messages) => byteTokenizer.encode(messages.at(-1)!.content),
};
const ENDPOINTS = {
  "/v1/completions": { model: "test-copy", prompt: "ab", logprobs: 2 },
  "/v1/chat/completions": {
    model: "test-copy",
    messages: [{ role: "user", content: "ab" }],
    logprobs: true,
    top_logprobs: 2,
  },
} as const;

/** To six digits, as numbers of this kind are told. */
const ln = (value: number, less = 0) => Number((Math.log(value) - less).toPrecision(6));

// deno-lint-ignore no-explicit-any -- tests look into whatever came
async function chunksOf(response: Response): Promise<any[]> {
  const found: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => found.push(data) });
  parser.feed(await response.text());
  assertEquals(found.pop(), "[DONE]");
  return found.map((data) => JSON.parse(data));
}

Deno.test("completionLogprobs() counts characters, across pieces and from the prefix on", () => {
  const told = new ChoiceFacts(byteTokenizer, { prefix: "é💧", toLogprobs: completionLogprobs });
  const first = told.next({ tokens: [97, ...DROP.slice(0, 3)], logprobs: [-1, -2, -3, -4] });
  assertEquals(first, {
    logprobs: {
      tokens: ["a", "\ufffd", "\ufffd", "\ufffd"],
      token_logprobs: [-1, -2, -3, -4],
      top_logprobs: null,
      text_offset: [2, 3, 3, 3],
    },
  });
  const rest = told.next({ tokens: [DROP[3]!, 98, EOS], logprobs: [-5, -6, -7] });
  assertEquals(rest.logprobs, {
    tokens: ["\ufffd", "b", ""],
    token_logprobs: [-5, -6, -7],
    top_logprobs: null,
    text_offset: [3, 4, 5],
  });
});

Deno.test("completionLogprobs() keeps the most probable of tokens with the same text", () => {
  const told = new ChoiceFacts(byteTokenizer, { prefix: "", toLogprobs: completionLogprobs });
  const top = [97, 0xf0, EOS, 0x9f].map((token, i) => ({ token, piece: "", logprob: -i }));
  const { logprobs } = told.next({ tokens: [97], logprobs: [0], top_logprobs: [top] });
  assertEquals((logprobs as ReturnType<typeof completionLogprobs>).top_logprobs, [
    { a: 0, "\ufffd": -1, "": -2 },
  ]);
});

Deno.test("chatLogprobs() gives bytes, and none for a token without text", () => {
  const told = new ChoiceFacts(byteTokenizer, { prefix: "", toLogprobs: chatLogprobs });
  const top = [{ token: 0xf0, piece: "\ufffd", logprob: -1 }];
  const facts = { tokens: [97, EOS], logprobs: [-1, -2], top_logprobs: [top, []] };
  assertEquals(told.next(facts).logprobs, {
    content: [
      {
        token: "a",
        logprob: -1,
        bytes: [97],
        top_logprobs: [{ token: "\ufffd", logprob: -1, bytes: [0xf0] }],
      },
      { token: "", logprob: -2, bytes: null, top_logprobs: [] },
    ],
    refusal: null,
  });
});

Deno.test("ChoiceFacts tells what OpenAI has no place for beside, and nothing that nobody asked", () => {
  const told = new ChoiceFacts(byteTokenizer, { prefix: "", toLogprobs: chatLogprobs });
  assertEquals(told.next({ tokens: [97] }), { logprobs: null });
  assertEquals(told.next({ tokens: [97], step_map: [3], entropy: [0.5] }), {
    logprobs: null,
    diffusion: { tokens: [97], step_map: [3], entropy: [0.5] },
  });
});

Deno.test("joinFacts() joins what all pieces have", () => {
  const pieces = [{ tokens: [1, 2], step_map: [1, 2] }, { tokens: [3], step_map: [1] }];
  assertEquals(joinFacts(pieces), { tokens: [1, 2, 3], step_map: [1, 2, 1] });
  assertEquals(joinFacts([]), { tokens: [] });
});

Deno.test("a completion tells of its tokens in the form of completions", async () => {
  const { post } = testApp();
  const body = { ...ENDPOINTS["/v1/completions"], max_tokens: 6, step_map: true, echo: true };
  const { choices: [choice] } = await (await post(body, "/v1/completions")).json();
  assertEquals([choice.text, choice.diffusion], ["abababab", {
    tokens: [97, 98, 97, 98, 97, 98],
    step_map: [1, 2, 3, 4, 1, 2],
  }]);
  const { tokens, token_logprobs, top_logprobs, text_offset } = choice.logprobs;
  assertEquals(tokens, ["a", "b", "a", "b", "a", "b"]);
  assertEquals(token_logprobs, [2, 3, 4, 5, 2, 3].map((value) => -ln(value)));
  assertEquals(top_logprobs[0], { a: -ln(2), b: -ln(2, -1) });
  assertEquals(text_offset, [2, 3, 4, 5, 6, 7]);
  const bare = await (await post({ ...body, logprobs: 0 }, "/v1/completions")).json();
  assertEquals(bare.choices[0].logprobs, { ...choice.logprobs, top_logprobs: null });
});

Deno.test("a chat tells of its tokens in the form of chats", async () => {
  const { post } = testApp({ chat: CHAT });
  const body = { ...ENDPOINTS["/v1/chat/completions"], max_tokens: 5, confidence: true };
  const { choices: [choice] } = await (await post(body, "/v1/chat/completions")).json();
  const { content, refusal } = choice.logprobs;
  assertEquals(refusal, null);
  assertEquals(content.map(({ token }: { token: string }) => token), ["a", "b", "a", "b", "a"]);
  assertEquals(content[1], {
    token: "b",
    logprob: -ln(3),
    bytes: [98],
    top_logprobs: [
      { token: "b", logprob: -ln(3), bytes: [98] },
      { token: "c", logprob: -ln(3, -1), bytes: [99] },
    ],
  });
  assertEquals(choice.diffusion.confidence, [0.5, 0.3333, 0.25, 0.2, 0.5]);
});

for (const [path, body] of Object.entries(ENDPOINTS)) {
  Deno.test(`a stream of ${path} tells the same of its tokens as the whole answer`, async () => {
    const { post } = testApp({ chat: CHAT });
    // The second choice of a block has no text to give yet: the drop is in parts.
    const prompt = path === "/v1/completions"
      ? { prompt: "a💧b" }
      : { messages: [{ role: "user", content: "a💧b" }] };
    const request = { ...body, ...prompt, max_tokens: 9, n: 2, block_size: 1, entropy: true };
    const { choices } = await (await post(request, path)).json();
    const chunks = await chunksOf(await post({ ...request, stream: true }, path));
    for (const { index, logprobs, diffusion } of choices) {
      const own = chunks.flatMap((chunk) => chunk.choices[0].index === index ? chunk.choices : []);
      const rated = own.flatMap((each) => each.logprobs === null ? [] : [each.logprobs]);
      // Every token comes with its own block, also those without a character.
      assertEquals(rated.length, 9);
      for (const [name, list] of Object.entries(logprobs)) {
        if (list === null) continue;
        assertEquals(rated.flatMap((each) => each[name]), list);
      }
      const told = own.flatMap((each) => each.diffusion ?? []);
      assertEquals(told.flatMap(({ entropy }) => entropy), diffusion.entropy);
      assertEquals(told.flatMap(({ tokens }) => tokens), diffusion.tokens);
    }
  });
}

Deno.test("a chat with drafts tells of its tokens with the text itself", async () => {
  const { post } = testApp({ chat: CHAT });
  const path = "/v1/chat/completions";
  const request = { ...ENDPOINTS[path], max_tokens: 6, step_map: true };
  const { choices: [whole] } = await (await post(request, path)).json();
  const chunks = await chunksOf(await post({ ...request, stream: true, diffusing: true }, path));
  const told = chunks.filter(({ choices }) => choices[0].logprobs !== null);
  assertEquals(told.length, 1);
  const { delta, logprobs, diffusion } = told[0].choices[0];
  assertEquals([delta.content, logprobs, diffusion], [
    whole.message.content,
    whole.logprobs,
    whole.diffusion,
  ]);
  assertEquals(told[0].diffusion_meta, undefined);
});
