import type { Field } from "./fields.ts";

/** One message of a chat, all of its fields as JSON texts. */
function message(fields: Readonly<Record<string, string>>): string {
  const all: Record<string, string> = { role: '"user"', content: '"abc"', ...fields };
  return `{${Object.entries(all).map(([name, json]) => `"${name}":${json}`).join(",")}}`;
}

/** The second of two messages has this in place of what is right. */
function second(json: string, place: string): [json: string, place: string] {
  return [`[${message({})},${json}]`, `[1]${place}`];
}

function part(fields: string): string {
  return message({ content: `[{"type":"text","text":"a"},{${fields}}]` });
}

/** Section 5.2. */
export const MESSAGES: Field = {
  good: [
    `[${message({})}]`,
    `[${message({ role: '"system"' })},${message({})},${message({ role: '"assistant"' })}]`,
    `[${message({ role: '"developer"', name: '"me"' })}]`,
    `[${message({ content: '[{"type":"text","text":"a"},{"text":"b","type":"text"}]' })}]`,
    `[${message({ content: '""', name: "null" })}]`,
    `[${Array(512).fill(message({ content: '"a"' })).join(",")}]`,
  ],
  wrong: [
    ...["1", '"abc"', "true", "{}", message({})],
    second("1", ""),
    second('"abc"', ""),
    second("[]", ""),
    second(message({ role: "1" }), ".role"),
    second(message({ role: "{}" }), ".role"),
    second(message({ content: "1" }), ".content"),
    second(message({ content: "{}" }), ".content"),
    second(message({ content: '["a"]' }), ".content[0]"),
    second(message({ name: "1" }), ".name"),
    second(part('"type":"text","text":1'), ".content[1].text"),
    second(part('"type":1,"text":"a"'), ".content[1].type"),
  ],
  bad: [
    "[]",
    `[${Array(513).fill(message({})).join(",")}]`,
    second(message({ role: '""' }), ".role"),
    second(message({ role: '"User"' }), ".role"),
    second(message({ role: '"__proto__"' }), ".role"),
    second(message({ content: "[]" }), ".content"),
  ],
  missing: [
    second('{"content":"a"}', ".role"),
    second(message({ role: "null" }), ".role"),
    second('{"role":"user"}', ".content"),
    second(message({ content: "null" }), ".content"),
    second(part('"text":"a"'), ".content[1].type"),
    second(part('"type":"text"'), ".content[1].text"),
    second(part('"type":"text","text":null'), ".content[1].text"),
  ],
  unsupported: [
    second(message({ role: '"tool"' }), ".role"),
    second(message({ role: '"function"' }), ".role"),
    ...["image_url", "input_audio", "file", "refusal", ""].map((type) =>
      second(part(`"type":"${type}"`), ".content[1].type")
    ),
  ],
  unknown: [
    second(message({ text: '"a"' }), ".text"),
    second(message({ contents: "null" }), ".contents"),
    second('{"role":"user","content":"a","__proto__":{}}', ".__proto__"),
    second(part('"type":"text","text":"a","constructor":1'), ".content[1].constructor"),
    second(part('"type":"text","text":"a","__proto__":1'), ".content[1].__proto__"),
  ],
};
