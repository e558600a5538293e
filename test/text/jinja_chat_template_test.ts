import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ChatMessage, ChatTemplateError } from "../../src/text/chat_template.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { tinyTokenizer } from "../support/checkpoints.ts";
import { ask, CHATML, render, SPECIAL, templateOf, TEMPLATES } from "../support/chat_templates.ts";

const CHAT: readonly ChatMessage[] = [
  { role: "system", content: " Be brief. " },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello!\n" },
  { role: "user", content: "Café 😀?" },
];

/** A source, messages, and what becomes of them; typed by hand. */
const RENDERED: readonly [name: string, source: string, messages: ChatMessage[], text: string][] = [
  [
    "ChatML",
    CHATML,
    [...CHAT],
    "«<|im_start|>»system\n Be brief. «<|im_end|>»\n«<|im_start|>»user\nHi«<|im_end|>»\n" +
    "«<|im_start|>»assistant\nHello!\n«<|im_end|>»\n«<|im_start|>»user\nCafé 😀?«<|im_end|>»\n" +
    "«<|im_start|>»assistant\n",
  ],
  [
    "Qwen2.5",
    TEMPLATES["qwen2.5"],
    [...CHAT],
    "«<|im_start|>»system\n Be brief. «<|im_end|>»\n«<|im_start|>»user\nHi«<|im_end|>»\n" +
    "«<|im_start|>»assistant\nHello!\n«<|im_end|>»\n«<|im_start|>»user\nCafé 😀?«<|im_end|>»\n" +
    "«<|im_start|>»assistant\n",
  ],
  [
    "Qwen2.5 without a system message",
    TEMPLATES["qwen2.5"],
    ask("Hi"),
    "«<|im_start|>»system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant." +
    "«<|im_end|>»\n«<|im_start|>»user\nHi«<|im_end|>»\n«<|im_start|>»assistant\n",
  ],
  [
    "Qwen3, which leaves out what earlier answers thought",
    TEMPLATES["qwen3"],
    [...ask("Hi"), { role: "assistant", content: "<think>\nhm\n</think>\n\nHo" }, ...ask("So?")],
    "«<|im_start|>»user\nHi«<|im_end|>»\n«<|im_start|>»assistant\nHo«<|im_end|>»\n" +
    "«<|im_start|>»user\nSo?«<|im_end|>»\n«<|im_start|>»assistant\n",
  ],
  [
    "Llama 3, which trims",
    TEMPLATES["llama-3"],
    [...CHAT],
    "«<s>»«<|start_header_id|>»system«<|end_header_id|>»\n\nBe brief.«<|eot_id|>»" +
    "«<|start_header_id|>»user«<|end_header_id|>»\n\nHi«<|eot_id|>»" +
    "«<|start_header_id|>»assistant«<|end_header_id|>»\n\nHello!«<|eot_id|>»" +
    "«<|start_header_id|>»user«<|end_header_id|>»\n\nCafé 😀?«<|eot_id|>»" +
    "«<|start_header_id|>»assistant«<|end_header_id|>»\n\n",
  ],
  [
    "Llama 3.1, which has the date",
    TEMPLATES["llama-3.1"],
    ask("Hi"),
    "«<s>»«<|start_header_id|>»system«<|end_header_id|>»\n\nCutting Knowledge Date: December " +
    "2023\nToday Date: 05 Aug 2025\n\n«<|eot_id|>»«<|start_header_id|>»user«<|end_header_id|>»" +
    "\n\nHi«<|eot_id|>»«<|start_header_id|>»assistant«<|end_header_id|>»\n\n",
  ],
  [
    "Mistral, which has no roles",
    TEMPLATES["mistral"],
    [...ask("a"), { role: "assistant", content: "b" }, ...ask("c")],
    "«<s>»[INST] a [/INST]b«</s>»[INST] c [/INST]",
  ],
  [
    "Phi-3, which makes special tokens of roles",
    TEMPLATES["phi-3"],
    [...CHAT],
    "«<|system|>»\n Be brief. «<|end|>»\n«<|user|>»\nHi«<|end|>»\n«<|assistant|>»\nHello!\n" +
    "«<|end|>»\n«<|user|>»\nCafé 😀?«<|end|>»\n«<|assistant|>»\n",
  ],
  [
    "a template with other line ends",
    "a\r\nb\rc\n",
    ask(""),
    "a\nb\nc",
  ],
  [
    "names, JSON and a generation tag",
    "{% for m in messages %}{{ m.name }}={{ m | tojson }}{% generation %};{% endgeneration %}" +
    "{% endfor %}",
    [{ role: "user", content: 'é"', name: "Ann" }, ...ask("b")],
    'Ann={"role": "user", "content": "é\\"", "name": "Ann"};={"role": "user", "content": "b"};',
  ],
  [
    "what transformers gives beside the messages",
    "{{ tools is none }}{{ documents is none }}{{ tools is defined }}{{ pad_token is defined }}" +
    "{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}" +
    "{{ range(2, 2) | length }}",
    ask(""),
    "truetruetruefalse0125310",
  ],
];

for (const [name, source, messages, text] of RENDERED) {
  Deno.test(`JinjaChatTemplate tokens() renders ${name}`, () => {
    assertEquals(render(source, messages), text);
  });
}

Deno.test("JinjaChatTemplate tokens() shows a developer as such where the template knows one", () => {
  const messages: ChatMessage[] = [{ role: "developer", content: "x" }];
  assertEquals(render("{{ messages[0].role }}", messages), "system");
  const source = "{% if messages[0].role == 'developer' %}a developer{% endif %}";
  assertEquals(render(source, messages), "a developer");
});

Deno.test("JinjaChatTemplate tokens() lets templates look into messages", () => {
  const source = "{% set c = messages[0].content %}{{ c | length }} {{ c.startswith('a') }} " +
    "{{ c.split('</think>')[-1] }} {{ '</think>' in c }} {{ c | upper }}";
  assertEquals(
    render(source, ask("a<|im_end|></think>z")),
    "20 true z true A<|IM_END|></THINK>Z",
  );
});

Deno.test("JinjaChatTemplate tokens() takes marks only from the template and the model itself", () => {
  const think = 256 + SPECIAL.length;
  const bytes = [...new TextEncoder().encode("<think>")];
  const template = templateOf("{{ messages[0].content }}|<think>");
  for (const role of ["user", "system", "developer"] as const) {
    assertEquals(template.tokens([{ role, content: "<think>" }]), [...bytes, 124, think]);
  }
  const said: ChatMessage[] = [{ role: "assistant", content: "<think><|im_end|>" }];
  const end = [...new TextEncoder().encode("<|im_end|>")];
  assertEquals(template.tokens(said), [think, ...end, 124, think]);
  const named: ChatMessage[] = [{ role: "user", content: "", name: "<think>" }];
  assertEquals(templateOf("{{ messages[0].name }}").tokens(named), bytes);
});

Deno.test("JinjaChatTemplate tokens() lets templates leave out what the model has thought", () => {
  const source = "{{ messages[0].content.split('</think>')[-1] }}";
  const content = "<think>a</think>b";
  assertEquals(render(source, [{ role: "assistant", content }]), "b");
});

Deno.test("JinjaChatTemplate tokens() finds the longest special token, and strips around it", () => {
  const contents = ["<a>", "<a><b>", "<c>", "<d>"];
  const tokenizer = Tokenizer.fromJson({
    ...tinyTokenizer(),
    added_tokens: contents.map((content, i) => (
      { id: 256 + i, content, special: true, lstrip: content === "<c>", rstrip: content === "<d>" }
    )),
  }, null);
  const template = templateOf("<a><b><a> <c> x <d>\n\ny{{ messages[0].content }}", tokenizer);
  const [a, ab, c, d, space] = [256, 257, 258, 259, 32];
  assertEquals(template.tokens(ask("")), [ab, a, c, space, 120, space, d, 121]);
  const text = "y<a><b> <c> ";
  assertEquals(template.tokens(ask(text.slice(1))).slice(7), [...new TextEncoder().encode(text)]);
});

Deno.test("JinjaChatTemplate tokens() refuses with the words of the template", () => {
  const error = assertThrows(
    () => render(TEMPLATES["mistral"], [{ role: "assistant", content: "secret" }]),
    ChatTemplateError,
  );
  assertEquals(
    error.message,
    "The chat template does not take these messages: " +
      "Conversation roles must alternate user/assistant/user/assistant/...",
  );
});

Deno.test("JinjaChatTemplate tokens() refuses without a word of the messages", () => {
  for (
    const source of [
      "{{ raise_exception('Unknown: ' + messages[0].content) }}",
      "{{ raise_exception(messages[0].content) }}",
      "{{ raise_exception() }}",
      "{{ raise_exception('') }}",
      "{{ messages[0].content + none }}",
      "{{ messages[0].content() }}",
      "{{ messages[0].content | nonsense }}",
      "{{ strftime_now() }}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% for c in messages[0].content %}{% endfor %}",
    ]
  ) {
    const error = assertThrows(() => render(source, ask("secret")), ChatTemplateError);
    assertEquals(error.message, "The chat template does not take these messages");
    assert(error.cause instanceof Error);
  }
});

Deno.test("JinjaChatTemplate refuses a source that is no template", () => {
  for (
    const source of [
      "{{",
      "{% if x %}",
      "{% nonsense %}",
      "{{ 'a }}",
      "{{ a b }}",
      `{{${"(".repeat(60_000)}`,
    ]
  ) {
    assertThrows(() => templateOf(source), SyntaxError, "Cannot read the chat template: ");
  }
});

Deno.test("JinjaChatTemplate tokens() takes time in proportion to the messages", () => {
  const reserved = Array.from({ length: 256 }, (_, i) => `<|reserved_special_token_${i}|>`);
  const tokenizer = Tokenizer.fromJson({
    ...tinyTokenizer(),
    added_tokens: reserved.map((content, i) => ({ id: 256 + i, content, special: true })),
  }, null);
  const template = templateOf(TEMPLATES["llama-3"], tokenizer);
  const texts = ["<", "<|", " ", "<|reserved_special_token_", reserved[255]!, "\ue000", "a"];
  for (const text of texts) {
    const start = performance.now();
    const content = text.repeat(300_000 / text.length);
    assert(template.tokens(ask(content)).length >= content.trim().length);
    // Under a second in practice; quadratic work would take hours.
    assert(performance.now() - start < 10_000, text);
  }
});
