import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readText } from "../../src/commands/engines.ts";
import { loadChatTemplate } from "../../src/commands/load_chat_template.ts";
import { loadTokenizer } from "../../src/commands/load_tokenizer.ts";
import type { ChatMessage } from "../../src/text/chat_template.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { TINY_CONFIG, writeJson, writeTinyCheckpoint } from "../support/checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

const CHAT: readonly ChatMessage[] = [{ role: "user", content: "Hi" }];
const EOS = 256;
const NAMED = { eos_token: "<|endoftext|>", mask_token: { content: "<|mask|>" } };

/** What becomes of a chat in a checkpoint with these files: text, null, or none without a template. */
function promptOf(files: Readonly<Record<string, unknown>>): string | null {
  return withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    for (const [name, content] of Object.entries(files)) {
      if (typeof content === "string") Deno.writeTextFileSync(join(directory, name), content);
      else writeJson(join(directory, name), content);
    }
    using checkpoint = Checkpoint.open(directory);
    const tokenizer = loadTokenizer(checkpoint, TINY_CONFIG.vocab_size);
    const template = loadChatTemplate(checkpoint, tokenizer);
    return template === null ? null : tokenizer.decode(template.tokens(CHAT));
  });
}

function config(entries: Readonly<Record<string, unknown>>) {
  return { "tokenizer_config.json": { ...NAMED, ...entries } };
}

const FILE = { "chat_template.jinja": "of a file: {{ messages[0].content }}\n" };

Deno.test("loadChatTemplate() takes the template of the config", () => {
  const template = "{{ messages[0].role }}>{{ messages[0].content }}";
  assertEquals(promptOf(config({ chat_template: template })), "user>Hi");
});

Deno.test("loadChatTemplate() takes the one called default of several", () => {
  const several = [{ name: "tool_use", template: "{{" }, { name: "default", template: "the one" }];
  assertEquals(promptOf(config({ chat_template: several })), "the one");
  assertEquals(promptOf(config({ chat_template: several.slice(0, 1) })), null);
});

Deno.test("loadChatTemplate() takes a file of its own before the config", () => {
  const both = { ...config({ chat_template: "{{" }), ...FILE };
  assertEquals(promptOf(both), "of a file: Hi");
  assertEquals(promptOf(FILE), "of a file: Hi");
});

Deno.test("loadChatTemplate() gives null where there is none", () => {
  assertEquals(promptOf({}), null);
  assertEquals(promptOf(config({ chat_template: null })), null);
});

Deno.test("loadChatTemplate() tells templates the special tokens that the config names", () => {
  const template = "{{ eos_token }}{{ mask_token }}{{ bos_token is defined }}";
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    writeJson(join(directory, "tokenizer_config.json"), { ...NAMED, chat_template: template });
    const { chat, tokenizer } = readText({ directory }, { chatTemplate: null });
    assertEquals(chat?.tokens(CHAT), [EOS, EOS + 1, ...tokenizer.encode("false")]);
  });
});

Deno.test("readText() lets a configured template stand in for the model's own", () => {
  withTempDir((directory) => {
    writeTinyCheckpoint(directory);
    assertEquals(readText({ directory }, { chatTemplate: null }).chat, null);
    Deno.writeTextFileSync(join(directory, "chat_template.jinja"), "{{");
    const { chat, tokenizer } = readText({ directory }, { chatTemplate: "plain" });
    assertEquals(tokenizer.decode(chat!.tokens(CHAT)), "user: Hi\nassistant:");
  });
});
