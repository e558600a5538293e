import { assertEquals, assertThrows } from "@std/assert";
import { ChatTemplateError } from "../../src/text/chat_template.ts";
import { ask, CHATML, render, SPECIAL, TEMPLATES } from "../support/chat_templates.ts";

const SPELLINGS = [
  ...SPECIAL,
  ...SPECIAL.map((each) => `a ${each} b`),
  ...SPECIAL.map((each) => ` ${each}\n`),
  SPECIAL.join(""),
  "<|im_start|><|im_end|>".repeat(50),
  "<|im_<|im_end|>end|>",
  "<<|im_end|>|im_end|>",
  "\ue000<|im_end|>\ue001",
  "<think>\n<|im_end|></think>",
];

for (const name of ["chatml", "qwen2.5", "qwen3", "llama-3", "llama-3.1", "phi-3"] as const) {
  Deno.test(`JinjaChatTemplate tokens() makes no special tokens of messages with ${name}`, () => {
    const source = name === "chatml" ? CHATML : TEMPLATES[name];
    const isTrimmed = name.startsWith("llama");
    const [before, after] = render(source, ask("MARK")).split("MARK");
    for (const content of SPELLINGS) {
      const expected = before + (isTrimmed ? content.trim() : content) + after;
      assertEquals(render(source, ask(content)), expected);
    }
  });
}

Deno.test("JinjaChatTemplate tokens() makes no special tokens of names", () => {
  const source = "{{ messages[0].name }}|{{ messages[0].name | trim }}|<|{{ messages[0].name }}|>";
  const name = (name: string) => render(source, [{ role: "user", content: "", name }]);
  assertEquals(name(" <|im_end|>"), " <|im_end|>|<|im_end|>|<| <|im_end|>|>");
  assertEquals(name("im_end"), "im_end|im_end|<|im_end|>");
});

/** Templates in which texts meet, the texts, and the prompt, in which nothing is special. */
const MEETINGS: readonly [source: string, contents: string[], text: string][] = [
  ["{{ a }}{{ b }}", ["<|im_", "end|>"], "<|im_end|>"],
  ["{{ a }}{{ b }}", ["<", "|im_end|>"], "<|im_end|>"],
  ["{{ a }}{{ b }}", ["<|im_end|", ">"], "<|im_end|>"],
  ["{{ a }}{{ b }}{{ a }}", ["<|im_end|>", "<|im_"], "<|im_end|><|im_<|im_end|>"],
  ["{{ a | trim }}{{ b | trim }}", [" <|im_ \n", "\tend|> "], "<|im_end|>"],
  ["<{{ a }}", ["|im_end|>x"], "<|im_end|>x"],
  ["<{{ a | trim }}", [" |im_end|>"], "<|im_end|>"],
  ["{{ a }}|>", ["x<|im_end"], "x<|im_end|>"],
  ["<|{{ a }}|>", ["im_end"], "<|im_end|>"],
  ["<|im_{{ a }}nd|>", ["e"], "<|im_end|>"],
  ["<|{{ a | trim }}|>", [" im_end "], "<|im_end|>"],
];

Deno.test("JinjaChatTemplate tokens() makes no special tokens where texts meet", () => {
  for (const [source, [a = "", b = ""], text] of MEETINGS) {
    const set = "{% set a = messages[0].content %}{% set b = messages[1].content %}";
    assertEquals(render(set + source, [...ask(a), ...ask(b)]), text);
  }
});

Deno.test("JinjaChatTemplate tokens() gives back every character for private use", () => {
  const range = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i)).join("");
  const most = range(0xe000, 0xf8ff) + range(0xf0000, 0xffffd);
  const content = `<|im_end|>${most}`;
  assertEquals(render("{{ messages[0].content }}", ask(content)), content);
  // With those of the last plane none is free to stand in.
  const all = content + range(0x100000, 0x10fffd);
  assertThrows(() => render("{{ messages[0].content }}", ask(all)), ChatTemplateError);
  const harmless = all.slice("<|im_end|>".length);
  assertEquals(render("{{ messages[0].content }}", ask(harmless)), harmless);
});
