import { assert, assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "../../src/weights/errors.ts";
import { parseStrictJson } from "../../src/weights/strict_json.ts";

function parse(text: string): unknown {
  return parseStrictJson("some.json", new TextEncoder().encode(text), { maxValues: 100 });
}

for (
  const text of [
    "0",
    '"a"',
    "null",
    "[]",
    "{}",
    ' {"a" : [ 1 , {"a":2} ] , "b" : "," } \n',
    '{"a":"{\\"a\\":1,\\"a\\":2}","b":["a","a"]}',
    '{"a\\\\":1,"a":2,"\\\\\\"":3,"\\"":4}',
    '[{"a":1},{"a":1}]',
    '{"":1," ":2}',
    '{"é":1,"e\\u0301":2}',
    "[".repeat(64) + "]".repeat(64),
    "[" + "0,".repeat(99) + "0]",
  ]
) {
  Deno.test(`parseStrictJson() reads ${text.slice(0, 40)}`, () => {
    assertEquals(parse(text), JSON.parse(text));
  });
}

Deno.test("parseStrictJson() keeps a key called __proto__ as a key", () => {
  const value = parse('{"__proto__":{"x":1}}');
  assert(typeof value === "object" && value !== null);
  assertEquals(Object.keys(value), ["__proto__"]);
});

for (
  const [text, says] of [
    ['{"a":1,"a":1}', '"a" is repeated'],
    ['{"a":1,"\\u0061":1}', '"a" is repeated'],
    ['{"x":[{"a":1,"b":[1,2],"a":1}]}', '"a" is repeated'],
    ['{"":1,"":1}', '"" is repeated'],
    ['{"a":{},"b":[],"a":1}', '"a" is repeated'],
    ["[".repeat(65) + "]".repeat(65), "64 levels"],
    ["[".repeat(1_000_000), "64 levels"],
    ["[" + "0,".repeat(100) + "0]", "100 keys and values"],
    [`[${"[],".repeat(50)}0]`, "100 keys and values"],
    [`[${'{"a":0},'.repeat(34)}0]`, "100 keys and values"],
    ["", "not JSON"],
    ["{", "not JSON"],
    ['"', "not JSON"],
    ['"\\"', "not JSON"],
    ["]", "not JSON"],
    ["}{", "not JSON"],
    ['{"a":1}}', "not JSON"],
    ["{'a':1}", "not JSON"],
    ["[1,]", "not JSON"],
    ["NaN", "not JSON"],
    ['{"a" 1}', "not JSON"],
    ['["a":1]', "not JSON"],
    ['"\n"', "not JSON"],
    ["\ufeff{}", "not JSON"],
  ] as const
) {
  Deno.test(`parseStrictJson() refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    const error = assertThrows(() => parse(text), CheckpointError, says);
    assertEquals([error.file, error.code], ["some.json", "invalid_json"]);
  });
}

Deno.test("parseStrictJson() refuses bytes that are not UTF-8", () => {
  const bytes = Uint8Array.of(0x22, 0xc3, 0x28, 0x22);
  const parse = () => parseStrictJson("some.json", bytes, { maxValues: 1 });
  assertThrows(parse, CheckpointError, "UTF-8");
});

Deno.test("parseStrictJson() cuts long keys in its message", () => {
  const key = "k".repeat(1_000_000);
  const error = assertThrows(() => parse(`{"${key}":1,"${key}":1}`), CheckpointError);
  assert(error.message.length < 300);
});
