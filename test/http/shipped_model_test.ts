import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import OpenAI, { BadRequestError } from "openai";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { TestServer } from "../support/test_server.ts";

// What the test model cannot show: drawn tokens, and a tokenizer of more than bytes.

const MODEL = SHIPPED_MODEL.id;
/** Of the model that ships: begins every prompt, and ends a text. */
const BOS = 4094;
const PROMPTS = ["Once upon a time", "The cat", ""];

type Completion = OpenAI.Completion & { readonly diffusion?: { readonly seed: number } };

function texts({ choices }: OpenAI.Completion): string[] {
  return choices.map(({ text }) => text);
}

Deno.test("the shipped model draws by seed, and ends where it must", async (t) => {
  await using server = await TestServer.start("--model", `${MODEL}=${SHIPPED_MODEL.directory}`);
  const client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: "none", maxRetries: 0 });
  const ask = { model: MODEL, max_tokens: 9, seed: 11 };
  const complete = (
    more: { prompt: string | string[]; n?: number; seed?: number | null; echo?: true },
  ) => client.completions.create({ ...ask, ...more });
  const streamed = async (more: { prompt: string | string[]; n: number }) => {
    const stream = await client.completions.create({ ...ask, ...more, stream: true });
    const all: string[] = [];
    for await (const { choices: [choice] } of stream) {
      if (choice) all[choice.index] = (all[choice.index] ?? "") + choice.text;
    }
    return all;
  };

  await t.step(
    "a prompt and a choice draw the same alone, beside others, and streamed",
    async () => {
      const together = texts(await complete({ prompt: PROMPTS, n: 2 }));
      assertEquals(together.length, 6);
      assertNotEquals(together[0], together[1]);
      for (const [i, prompt] of PROMPTS.entries()) {
        assertEquals(texts(await complete({ prompt })), [together[2 * i]]);
      }
      assertEquals(
        texts(await complete({ prompt: PROMPTS[1]!, n: 3 })).slice(0, 2),
        together.slice(2, 4),
      );
      assertEquals(await streamed({ prompt: PROMPTS, n: 2 }), together);
      assertEquals((await server.blocks({ ...ask, prompt: PROMPTS[0] })).text, together[0]);
      assertNotEquals(texts(await complete({ prompt: PROMPTS[0]!, seed: 12 })), [together[0]]);
    },
  );

  await t.step("a seed draws the same while others come and go", async () => {
    const quiet = await streamed({ prompt: PROMPTS, n: 2 });
    const others = [1, 2, 3, 4, 5].map((seed) =>
      server.blocks({ prompt: "Tim and", max_tokens: 4 * seed, seed, block_size: 4, top_p: 0.9 })
    );
    const busy = [
      complete({ prompt: PROMPTS, n: 2 }).then(texts),
      streamed({ prompt: PROMPTS, n: 2 }),
    ];
    assertEquals(await Promise.all(busy), [quiet, quiet]);
    await Promise.all(others);
  });

  await t.step("a seed that the server picked can be used again", async () => {
    const first: Completion = await complete({ prompt: "The dog", seed: null });
    const seed = first.diffusion?.seed ?? NaN;
    assertEquals(texts(await complete({ prompt: "The dog", seed })), texts(first));
  });

  for (const block_size of [1, 8, 16]) {
    await t.step(
      `a stop string across blocks of ${block_size} ends the text before it`,
      async () => {
        const request = { ...ask, prompt: "Once upon a time", max_tokens: 24, block_size };
        const { text, events, tokens } = await server.blocks(request);
        const blocks = events.filter(({ event }) => event === "block").map(({ data }) => data);
        const border = blocks.slice(0, blocks.length >> 1).map((block) =>
          block.text
        ).join("").length;
        const stop = [text.slice(border - 2, border + 3), "no such text"];
        const expected = text.slice(0, text.indexOf(stop[0]!));
        const stopped = await server.blocks({ ...request, stop });
        assertEquals([stopped.text, stopped.last.data.stop], [expected, stop[0]]);
        assertEquals(stopped.tokens, tokens.slice(0, stopped.tokens.length));
        assert(stopped.tokens.length < tokens.length, "it went on to the end");
      },
    );
  }

  await t.step("the text of a special token is plain text in a prompt", async () => {
    for (const prompt of ["<|endoftext|>", "<|mask|>"]) {
      const { choices, usage } = await complete({ prompt, echo: true });
      assert(choices[0]?.text.startsWith(prompt), choices[0]?.text);
      // One would be the beginning of every text, two that and a special token.
      assert((usage?.prompt_tokens ?? 0) > 4, `${prompt} is ${usage?.prompt_tokens} tokens`);
    }
    const begun = await client.completions.create({ ...ask, prompt: [BOS], echo: true });
    const empty = await complete({ prompt: "" });
    assertEquals([texts(begun), begun.usage], [texts(empty), empty.usage]);
    assertEquals(empty.usage?.prompt_tokens, 1);
  });

  await t.step("tokens that were generated are a prompt of the same text", async () => {
    const { text, tokens } = await server.blocks({ ...ask, prompt: "Once upon a time" });
    const again = { ...ask, prompt: [...tokens], max_tokens: 1, echo: true };
    const { choices, usage } = await client.completions.create(again);
    assert(choices[0]?.text.startsWith(text), `${choices[0]?.text} does not begin with ${text}`);
    assertEquals(usage?.prompt_tokens, tokens.length + 1);
  });

  await t.step("it does not chat", async () => {
    const messages = [{ role: "user" as const, content: "Hello" }];
    const error = await assertRejects(
      async () => await client.chat.completions.create({ model: MODEL, messages }),
      BadRequestError,
    );
    assertEquals(error.code, "chat_not_supported");
  });
});
