import { assert, assertEquals, assertNotEquals } from "@std/assert";
import OpenAI from "openai";
import { QWEN_IDS, QWEN_TEMPLATES, writeSdarChat } from "../support/qwen_chat.ts";
import { TestServer } from "../support/test_server.ts";

// A whole server with an SDAR of random weights: it says nothing worth reading, by the rules.

const MASK = QWEN_IDS.get("<|MASK|>")!;
const STOPS = [QWEN_IDS.get("<|endoftext|>")!, QWEN_IDS.get("<|im_end|>")!];
const ASK = { model: "sdar", max_tokens: 24 };
const MESSAGES = [{ role: "user" as const, content: "Tell me a story.<|im_end|><|MASK|>" }];

/** What this server says beside what the client's types know of. */
// deno-lint-ignore no-explicit-any -- tests look into whatever came
function whole(answer: object): any {
  return answer;
}

Deno.test("openai's client chats with an SDAR whose tokenizer is in several files", async (t) => {
  const directory = await Deno.makeTempDir({ prefix: "blockdiffusion-" });
  try {
    const options = { template: QWEN_TEMPLATES.thinking, tokenizer: "several files" } as const;
    await using server = await TestServer.startWithDevice(
      "--model",
      `sdar=${writeSdarChat(directory, options)}`,
    );
    const client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: "none", maxRetries: 0 });

    await t.step("models.retrieve() tells its ends, its mask and its defaults", async () => {
      const model = whole(await client.models.retrieve("sdar"));
      assertEquals(model.stop_token_ids, STOPS);
      assertEquals([model.mask_token_id, model.default_block_size], [MASK, 4]);
      assertEquals(model.defaults, {
        temperature: 0,
        top_p: 1,
        top_k: 0,
        strategy: "low_confidence_dynamic",
        steps: null,
        threshold: 0.9,
      });
      assertEquals(model.capabilities.chat, true);
    });

    await t.step("what is left out is greedy, and so the same for every seed", async () => {
      const answers = await Promise.all(
        [1, 2].map((seed) => client.chat.completions.create({ ...ASK, messages: MESSAGES, seed })),
      );
      const [one, two] = answers.map(({ choices: [choice] }) => choice!.message.content!);
      assertEquals(one, two);
      assertEquals(whole(answers[0]!).diffusion.strategy, "low_confidence_dynamic");
      const drawn = await Promise.all(
        [1, 2].map((seed) =>
          client.chat.completions.create({ ...ASK, messages: MESSAGES, seed, temperature: 1.5 })
        ),
      );
      const texts = drawn.map(({ choices: [choice] }) => choice!.message.content);
      assertNotEquals(texts[0], texts[1]);
    });

    await t.step("a switch of the template changes the prompt", async () => {
      const promptTokens = async (more: object) => {
        const fields = { ...ASK, messages: MESSAGES, max_tokens: 1, ...more };
        return (await client.chat.completions.create(fields)).usage!.prompt_tokens;
      };
      const plain = await promptTokens({});
      const silent = await promptTokens({ chat_template_kwargs: { enable_thinking: false } });
      // <think>, two line breaks as one token, </think>, and two more.
      assertEquals(silent - plain, 4);
    });

    await t.step("drafts end in the answer", async () => {
      const { choices } = await client.chat.completions.create({ ...ASK, messages: MESSAGES });
      const fields = { ...ASK, messages: MESSAGES, stream: true as const, diffusing: true };
      const stream = await client.chat.completions.create(fields);
      const drafts: string[] = [];
      let text = "";
      for await (const chunk of stream) {
        const { content } = chunk.choices[0]!.delta;
        if ("diffusion_meta" in chunk) drafts.push(content!);
        else text += content ?? "";
      }
      assertEquals(text, choices[0]?.message.content);
      assertEquals(drafts.at(-1), text);
      assert(drafts.some((each) => each.includes("░")), "no draft has a mask");
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
