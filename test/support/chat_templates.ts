import type { ChatMessage } from "../../src/text/chat_template.ts";
import { JinjaChatTemplate } from "../../src/text/jinja_chat_template.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { tinyTokenizer } from "./checkpoints.ts";

const FOLDER = new URL("../fixtures/chat-templates/", import.meta.url);

/** Special tokens of the models that {@linkcode TEMPLATES} are of. */
export const SPECIAL = [
  "<s>",
  "</s>",
  "<|im_start|>",
  "<|im_end|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
  "<|system|>",
  "<|user|>",
  "<|assistant|>",
  "<|end|>",
];

/** Chat templates as they come with well-known models. */
export const TEMPLATES = {
  "qwen2.5": read("qwen2.5"),
  "qwen3": read("qwen3"),
  "llama-3": read("llama-3"),
  "llama-3.1": read("llama-3.1"),
  "mistral": read("mistral"),
  "phi-3": read("phi-3"),
};

/** The plainest of them all. */
export const CHATML =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" +
  "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** A date of which templates can tell the parts apart. */
const NOW = new Date("2025-08-05T23:04:09Z");

/** Bytes are their own ids; special tokens follow, and one ordinary token that is no byte. */
const TOKENIZER = Tokenizer.fromJson({
  ...tinyTokenizer(),
  added_tokens: [
    ...SPECIAL.map((content, i) => ({ id: 256 + i, content, special: true })),
    { id: 256 + SPECIAL.length, content: "<think>", special: false },
  ],
}, null);

/** A template with BOS `<s>`, EOS `</s>` and a clock that stands still. */
export function templateOf(source: string, tokenizer = TOKENIZER): JinjaChatTemplate {
  return new JinjaChatTemplate(source, {
    tokenizer,
    specialTokens: { bos_token: "<s>", eos_token: "</s>" },
    now: () => NOW,
  });
}

/** Tokens as text, special ones in «quotes», so that they differ from what only looks like them. */
function spell(tokens: readonly number[]): string {
  const texts: string[] = [];
  let ordinary: number[] = [];
  for (const token of tokens) {
    const content = SPECIAL[token - 256];
    if (content === undefined) {
      ordinary.push(token);
      continue;
    }
    texts.push(TOKENIZER.decode(ordinary), `«${content}»`);
    ordinary = [];
  }
  return texts.join("") + TOKENIZER.decode(ordinary);
}

/** What a template makes of messages, as text with special tokens in «quotes». */
export function render(
  source: string,
  messages: readonly ChatMessage[],
  switches: Readonly<Record<string, boolean>> = {},
): string {
  return spell(templateOf(source).tokens(messages, switches));
}

/** A chat of one message. */
export function ask(content: string): ChatMessage[] {
  return [{ role: "user", content }];
}

function read(name: string): string {
  return Deno.readTextFileSync(new URL(`${name}.jinja`, FOLDER));
}
