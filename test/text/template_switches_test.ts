import { assertEquals } from "@std/assert";
import { ask, render, templateOf, TEMPLATES } from "../support/chat_templates.ts";

/** Templates, and the switches that they have. */
const TAKEN: readonly [source: string, switches: string[]][] = [
  ["{% if enable_thinking is defined and enable_thinking is false %}x{% endif %}", [
    "enable_thinking",
  ]],
  ["{% if not b %}{% endif %}{% if a or c %}{% endif %}", ["a", "b", "c"]],
  ["{{ 'x' if a else 'y' }}", ["a"]],
  ["{{ 'x' if a }}", ["a"]],
  ["{% for m in messages if a %}{% endfor %}", ["a"]],
  ["{% if a == true %}{% elif b != False %}{% endif %}", ["a", "b"]],
  ["{% if a | default(true) %}{% endif %}{% if b | default(false) %}{% endif %}", ["a", "b"]],
  ["{% set x = not a %}{% if x %}{% endif %}", ["a"]],
  ["{% if a is not defined %}{% set a = true %}{% endif %}{% if a %}{% endif %}", ["a"]],
  ["{% set a = a if a is defined else false %}{% if a %}{% endif %}", ["a"]],
  ["{% macro f(x, y=1) %}{% if x and y and a %}{% endif %}{% endmacro %}{{ f(1) }}", ["a"]],
  // Whether it is there says nothing of what it is.
  ["{% if a is defined %}x{% endif %}", []],
  // What is read for more than its truth is no switch.
  ["{% if a %}{{ a }}{% endif %}", []],
  ["{% if a %}{% for each in a %}{% endfor %}{% endif %}", []],
  ["{% if a %}{{ a.b }}{{ a[0] }}{{ a | length }}{% endif %}", []],
  ["{% if a %}{{ f(a) }}{{ [a] }}{% endif %}", []],
  [
    "{% if date is not defined %}{% set date = '1' %}{% endif %}{% if date %}{{ date }}{% endif %}",
    [],
  ],
  ["{% if a == 'high' %}{% endif %}{% if b > 1 %}{% endif %}{% if c in 'x' %}{% endif %}", []],
  // Nor is what the template makes itself, or gets in any case.
  ["{% set a = 1 %}{% if a %}{% endif %}", []],
  ["{% for a, b in messages %}{% if a and b and loop.last %}{% endif %}{% endfor %}", []],
  ["{% set ns = namespace(a=true) %}{% set ns.a = false %}{% if ns.a %}{% endif %}", []],
  ["{% if tools or documents or messages or add_generation_prompt or bos_token %}{% endif %}", []],
  ["{% if none or True or false %}{% endif %}", []],
  ["{% if pad_token and unk_token and strftime_now and raise_exception %}{% endif %}", []],
];

for (const [source, switches] of TAKEN) {
  Deno.test(`JinjaChatTemplate switches are ${switches.join() || "none"} of ${source}`, () => {
    assertEquals(templateOf(source).switches, switches);
  });
}

Deno.test("JinjaChatTemplate switches are those of well-known templates", () => {
  const found = Object.fromEntries(
    Object.entries(TEMPLATES).map(([name, source]) => [name, templateOf(source).switches]),
  );
  assertEquals(found, {
    "qwen2.5": [],
    "qwen3": ["enable_thinking"],
    "llama-3": [],
    // It has a switch for tools, and nothing of tools.
    "llama-3.1": [],
    "mistral": [],
    "phi-3": [],
  });
});

Deno.test("JinjaChatTemplate tokens() renders with the switches that are set", () => {
  const end = (switches?: Record<string, boolean>) =>
    render(TEMPLATES["qwen3"], ask("Hi"), switches).split("assistant\n")[1];
  assertEquals(end(), "");
  assertEquals(end({ enable_thinking: true }), "");
  assertEquals(end({ enable_thinking: false }), "<think>\n\n</think>\n\n");
});

Deno.test("JinjaChatTemplate tokens() lets no switch stand in for what templates get", () => {
  const source = "{{ messages[0].content }}{{ add_generation_prompt }}{{ eos_token }}";
  const switches = { messages: false, add_generation_prompt: false, eos_token: false };
  assertEquals(render(source, ask("Hi"), switches), "Hitrue«</s>»");
});
