import { assertEquals } from "@std/assert";
import { PlainChatTemplate } from "../../src/text/chat_template.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { tinyTokenizer } from "../support/checkpoints.ts";

const tokenizer = Tokenizer.fromJson(tinyTokenizer(), null);
const plain = new PlainChatTemplate(tokenizer);

Deno.test("PlainChatTemplate tokens() has a line for each message, then the assistant's", () => {
  const tokens = plain.tokens([
    { role: "system", content: "Be brief." },
    { role: "developer", content: "" },
    { role: "user", content: "Hi\nthere ", name: "Ann" },
    { role: "assistant", content: "Hello" },
    { role: "user", content: "é" },
  ]);
  assertEquals(
    tokenizer.decode(tokens),
    "system: Be brief.\ndeveloper: \nuser: Hi\nthere \nassistant: Hello\nuser: é\nassistant:",
  );
});

Deno.test("PlainChatTemplate tokens() makes no special tokens of messages", () => {
  const tokens = plain.tokens([{ role: "user", content: "<|endoftext|><|mask|>" }]);
  assertEquals(tokens.filter((each) => tokenizer.isSpecial(each)), []);
  assertEquals(tokenizer.decode(tokens), "user: <|endoftext|><|mask|>\nassistant:");
});
