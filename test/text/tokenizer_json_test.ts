import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Tokenizer } from "../../src/text/tokenizer.ts";

const MODEL = new URL("../../models/tinystories-bd3lm/", import.meta.url);
const JSON_FILE = readJson("tokenizer.json");
const CONFIG = readJson("tokenizer_config.json");
const EOS = 4094;

const model = JSON_FILE.model as Record<string, unknown>;
const vocab = model.vocab as Record<string, number>;
const DAMAGED: [string, unknown][] = [
  ["null", null],
  ["an array", []],
  ["a string", "tokenizer"],
  ["no model", { ...JSON_FILE, model: undefined }],
  ["a model of another type", withModel({ type: "Unigram" })],
  ["a number for a type", withModel({ type: 7 })],
  ["no vocabulary", withModel({ vocab: undefined })],
  ["an array for a vocabulary", withModel({ vocab: [["a", 0]] })],
  ["an id that is text", withModel({ vocab: { ...vocab, "!": "0" } })],
  ["a negative id", withModel({ vocab: { ...vocab, "!": -1 } })],
  ["a huge id", withModel({ vocab: { ...vocab, "!": 2 ** 40 } })],
  ["one id twice", withModel({ vocab: { ...vocab, "!": 1 } })],
  ["no byte 0x21", withModel({ vocab: { ...vocab, "!": undefined } })],
  ["no merges", withModel({ merges: undefined })],
  ["an object for merges", withModel({ merges: { h: "e" } })],
  ["a merge of three", withModel({ merges: ["h e r"] })],
  ["a merge of one", withModel({ merges: ["he"] })],
  ["a merge of numbers", withModel({ merges: [[1, 2]] })],
  ["a merge of unknown tokens", withModel({ merges: ["h Q"] })],
  ["merges that change form to null", withModel({ merges: ["h e", null] })],
  ["an unknown unk_token", withModel({ unk_token: "<none>" })],
  ["a prefix for continuations", withModel({ continuing_subword_prefix: "##" })],
  ["added tokens that are no array", { ...JSON_FILE, added_tokens: { id: 1 } }],
  ["an added token without content", { ...JSON_FILE, added_tokens: [{ id: 1 }] }],
  ["an added token without id", { ...JSON_FILE, added_tokens: [{ content: "<s>" }] }],
  ["an empty added token", { ...JSON_FILE, added_tokens: [{ id: 5000, content: "" }] }],
  ["an added token in the place of another", withAdded({ id: 3, content: "<s>" })],
  ["an added token with two ids", withAdded({ id: 5000, content: "!" })],
  ["an added token of a million characters", withAdded({ id: 5000, content: "a".repeat(1e6) })],
  ["a lone surrogate", withAdded({ id: 5000, content: "a\ud800" })],
  ["an unknown normalizer", { ...JSON_FILE, normalizer: { type: "Upper" } }],
  ["a normalizer that is text", { ...JSON_FILE, normalizer: "NFC" }],
  ["an unknown pre-tokenizer", { ...JSON_FILE, pre_tokenizer: { type: "Words" } }],
  ["pieces of length 0", { ...JSON_FILE, pre_tokenizer: { type: "FixedLength", length: 0 } }],
  ["a split without a pattern", { ...JSON_FILE, pre_tokenizer: { type: "Split" } }],
  ["a sequence without steps", { ...JSON_FILE, pre_tokenizer: { type: "Sequence" } }],
  [
    "a bad regular expression",
    { ...JSON_FILE, pre_tokenizer: { type: "Split", pattern: { Regex: "(" } } },
  ],
  ["endless nesting", { ...JSON_FILE, pre_tokenizer: nested(20_000) }],
  ["an unknown decoder", { ...JSON_FILE, decoder: { type: "CTC" } }],
  ["a decoder that is text", { ...JSON_FILE, decoder: "ByteLevel" }],
];

for (const [what, json] of DAMAGED) {
  Deno.test(`Tokenizer fromJson() refuses ${what}`, () => {
    const error = assertThrows(() => Tokenizer.fromJson(json, CONFIG), SyntaxError);
    assertMatch(error.message, /^Cannot read the tokenizer: ./);
  });
}

Deno.test("Tokenizer fromJson() refuses a config of the wrong form", () => {
  for (const config of ["config", 1, [], { eos_token: 5 }, { added_tokens_decoder: { 1: "a" } }]) {
    assertThrows(() => Tokenizer.fromJson(JSON_FILE, config), SyntaxError, "Cannot read");
  }
});

Deno.test("Tokenizer fromJson() takes tokens named in the config for special", () => {
  const plain = { ...JSON_FILE, added_tokens: [{ id: EOS, content: "<|endoftext|>" }] };
  assertEquals(Tokenizer.fromJson(plain, null).isSpecial(EOS), false);
  assertEquals(Tokenizer.fromJson(plain, CONFIG).isSpecial(EOS), true);
  const named = { eos_token: { content: "<|endoftext|>" } };
  assertEquals(Tokenizer.fromJson(plain, named).isSpecial(EOS), true);
});

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(new URL(name, MODEL)));
}

function withModel(changes: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify({ ...JSON_FILE, model: { ...model, ...changes } }));
}

function withAdded(token: Record<string, unknown>): unknown {
  return { ...JSON_FILE, added_tokens: [token] };
}

function nested(depth: number): unknown {
  let step: unknown = { type: "ByteLevel" };
  for (let i = 0; i < depth; i++) step = { type: "Sequence", pretokenizers: [step] };
  return step;
}
