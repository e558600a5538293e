import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { noise } from "../support/noise.ts";

const MODEL = new URL("../../models/tinystories-bd3lm/", import.meta.url);
const JSON_FILE = readJson("tokenizer.json");
const CONFIG = readJson("tokenizer_config.json");
const EOS = 4094;
const MASK = 4095;

const stories = Tokenizer.fromJson(JSON_FILE, CONFIG);

// Made with the Python package tokenizers 0.23.2 from the same tokenizer.json.
const REFERENCE: [string, number[]][] = [
  [
    "Once upon a time, there was a little girl named Lily.",
    [422, 429, 258, 395, 11, 397, 282, 258, 390, 463, 415, 389, 13],
  ],
  ["  two  spaces\n\n\ttab", [220, 984, 220, 2832, 82, 198, 198, 197, 83, 64, 65]],
  [
    "It's Tom's; they'll we've I'M",
    [962, 377, 436, 377, 26, 359, 1660, 362, 6, 345, 342, 6, 44],
  ],
  [
    "café 中文 😀",
    [66, 1460, 127, 102, 220, 160, 116, 255, 162, 244, 229, 220, 172, 253, 246, 222],
  ],
  ["\ufeff'd\ufeff\ufeff!", [171, 119, 123, 6, 67, 171, 119, 123, 171, 119, 123, 0]],
  ["a\u0085\u0085b", [64, 126, 227, 126, 227, 65]],
  ["x\0y", [87, 188, 88]],
  [" ", [220]],
  ["100 200²", [16, 15, 15, 220, 17, 15, 15, 126, 110]],
  ["", []],
];

for (const [text, tokens] of REFERENCE) {
  Deno.test(`Tokenizer encode() matches the reference for ${JSON.stringify(text)}`, () => {
    assertEquals(stories.encode(text), tokens);
    assertEquals(stories.decode(tokens), text);
  });
}

Deno.test("Tokenizer encode() never makes special tokens of text", () => {
  for (const text of ["<|endoftext|>", "<|mask|>", "a<|mask|><|endoftext|> b", " <|mask|>"]) {
    const tokens = stories.encode(text);
    assertEquals(tokens.filter((each) => stories.isSpecial(each)), []);
    assertEquals(stories.decode(tokens), text);
  }
  // The same when the file says that whole words are looked up before they are split.
  const whole = tinyBpe({ ignore_merges: true, merges: [] }, { words: { "<s>": 300 } });
  assertEquals(whole.encode("<s>").length, 3);
});

Deno.test("Tokenizer encode() does not form a special token by merging", () => {
  const tokenizer = tinyBpe({ merges: ["< s", "<s >"] }, { words: { "<s": 299, "<s>": 300 } });
  assertEquals(tokenizer.encode("<s>"), [299, ">".charCodeAt(0)]);
});

Deno.test("Tokenizer encode() splits at ordinary added tokens and keeps the text around them", () => {
  const tokenizer = tinyBpe({}, {
    added: [{ id: 300, content: "\t\t", special: false, lstrip: true, rstrip: true }],
  });
  assertEquals(tokenizer.encode("a \t\t b"), [97, 32, 300, 32, 98]);
  assertEquals(tokenizer.decode([97, 32, 300, 32, 98]), "a \t\t b");
  assertEquals(tokenizer.isSpecial(300), false);
});

Deno.test("Tokenizer encode() never makes marks of text, which decode() gives back", () => {
  const marks = ["<think>", "</think>", "<|fim_pad|>", "[REF]"];
  const tokenizer = tinyBpe({ merges: ["< t"] }, {
    words: { "<t": 299, "<think>": 300 },
    added: marks.map((content, i) => ({ id: 300 + i, content, special: false })),
  });
  for (const [i, mark] of marks.entries()) {
    assertEquals(tokenizer.encode(mark).some((token) => token >= 300), false, mark);
    assertEquals(tokenizer.decode(tokenizer.encode(`a${mark} b`)), `a${mark} b`);
    assertEquals([tokenizer.decode([97, 300 + i]), tokenizer.isSpecial(300 + i)], [
      "a" + mark,
      false,
    ]);
  }
});

Deno.test("Tokenizer takes an added token for the mask that is called so, whatever its flag", () => {
  for (const content of ["<|MASK|>", "|<MASK>|", "<|mask|>", "[Mask]"]) {
    const tokenizer = tinyBpe({}, { added: [{ id: 300, content, special: false }] });
    assertEquals(tokenizer.encode(content).includes(300), false);
    assertEquals([tokenizer.isSpecial(300), tokenizer.decode([97, 300])], [true, "a"]);
  }
  const word = tinyBpe({}, { added: [{ id: 300, content: "mask", special: false }] });
  assertEquals([word.isSpecial(300), word.encode("mask")], [false, [300]]);
});

Deno.test("Tokenizer decode() gives any text back", () => {
  const texts = [
    "\ufeffOnce",
    "\ufeff",
    " ",
    "\n",
    "\n\n \n",
    "\0",
    "👩‍👩‍👧‍👦🇩🇪",
    "a".repeat(10_000),
    " ".repeat(10_000) + "x",
    "\u{10ffff}\ud7ff\ue000\ufffd\ufffe",
    ...randomTexts(300),
  ];
  for (const text of texts) assertEquals(stories.decode(stories.encode(text)), text);
});

Deno.test("Tokenizer encode() takes a lone surrogate for U+FFFD", () => {
  assertEquals(stories.decode(stories.encode("a\ud800b\udc00")), "a\ufffdb\ufffd");
});

Deno.test("Tokenizer encode() takes time in proportion to the text", () => {
  const million = 1_000_000;
  const distinct = Array.from({ length: 100_000 }, (_, i) => (i * 7919).toString(36)).join(" ");
  const texts = [
    "a".repeat(million),
    " ".repeat(million) + "x",
    "\n ".repeat(million / 2),
    randomTexts(1, 300_000)[0]!,
    // Common words after more distinct ones than any cache remembers.
    distinct + " the".repeat(100_000),
  ];
  for (const text of texts) {
    const start = performance.now();
    const tokens = stories.encode(text);
    // One second in practice; quadratic work would take hours.
    assertLess(performance.now() - start, 10_000);
    assert(tokens.length > 0);
  }
});

Deno.test("Tokenizer encode() takes time in proportion to marks that it brings into order", () => {
  for (const normalizer of [{ type: "NFC" }, { type: "NFKD" }]) {
    const sequence = { type: "Sequence", normalizers: [normalizer] };
    const tokenizer = Tokenizer.fromJson({ ...JSON_FILE, normalizer: sequence }, CONFIG);
    const start = performance.now();
    const tokens = tokenizer.encode("e" + "\u0301\u0316".repeat(250_000));
    // Half a second in practice, two minutes where marks are moved one by one.
    assertLess(performance.now() - start, 10_000);
    assertEquals(tokenizer.decode(tokens).slice(-1), "\u0301");
  }
});

Deno.test("Tokenizer bytes() gives a token's own UTF-8", () => {
  assertEquals([...stories.bytes(253)], [0x9f]);
  assertEquals([...stories.bytes(422)], [..."Once"].map((each) => each.charCodeAt(0)));
  assertEquals([...stories.bytes(198)], [0x0a]);
});

Deno.test("Tokenizer bytes() covers every byte with the single-byte tokens", () => {
  const single = Array.from({ length: 256 }, (_, token) => stories.bytes(token));
  assertEquals(single.map(({ length }) => length), single.map(() => 1));
  assertEquals(new Set(single.map(([byte]) => byte)).size, 256);
});

Deno.test("Tokenizer bytes() has none for special tokens and ids without content", () => {
  assertEquals(stories.bytes(EOS).length, 0);
  assertEquals(stories.bytes(MASK).length, 0);
  assertEquals([stories.isSpecial(EOS), stories.isSpecial(MASK)], [true, true]);
  assertEquals(stories.isSpecial(0), false);
  assertEquals(stories.bytes(4096).length, 0);
  assertEquals(stories.decode([422, 5000, 429]), "Once upon");
  for (const token of [-1, 0.5, NaN]) {
    assertThrows(() => stories.bytes(token), RangeError, String(token));
  }
});

Deno.test("Tokenizer decode() replaces bytes that are not UTF-8 and keeps a byte order mark", () => {
  assertEquals(stories.decode([]), "");
  assertEquals(stories.decode([172, 253]), "\ufffd");
  assertEquals(stories.decode([172, 253, 422]), "\ufffdOnce");
  assertEquals(stories.decode([172, 253, EOS, 246, 222]), "😀");
  assertEquals(stories.decode([171, 119, 123]), "\ufeff");
  assertEquals(stories.decode([246]), "\ufffd");
});

Deno.test("Tokenizer piece() gives the text of one token", () => {
  assertEquals(stories.piece(429), " upon");
  assertEquals(stories.piece(253), "\ufffd");
  assertEquals(stories.piece(EOS), "");
});

Deno.test("Tokenizer vocabSize is one more than the largest id", () => {
  assertEquals(stories.vocabSize, 4096);
});

Deno.test("Tokenizer of WordPiece joins continuations and puts a space before words", () => {
  const vocab = { "[UNK]": 0, "[MASK]": 1, once: 2, "##s": 3, ",": 4, "[": 5, "]": 6, mask: 7 };
  const tokenizer = Tokenizer.fromJson({
    // No type, as in older files.
    model: { vocab, unk_token: "[UNK]", continuing_subword_prefix: "##" },
    added_tokens: [{ id: 1, content: "[MASK]", special: true }],
    normalizer: { type: "BertNormalizer", lowercase: true, clean_text: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  }, { unk_token: "[UNK]" });
  assertEquals(tokenizer.encode("Onces, once zzz [MASK]"), [2, 3, 4, 2, 0, 5, 7, 6]);
  assertEquals(tokenizer.decode([2, 3, 4, 2]), "onces , once");
  assertEquals(tokenizer.piece(2), " once");
  assertEquals(tokenizer.piece(3), "s");
  assertEquals(tokenizer.piece(0), "");
});

Deno.test("Tokenizer of Metaspace and byte fallback spells spaces and bytes", () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase());
  const fallback = bytes.map((hex, i) => [`<0x${hex.padStart(2, "0")}>`, i + 10]);
  const words = { "<unk>": 0, "▁": 1, a: 2, b: 3, "▁a": 4 };
  const tokenizer = Tokenizer.fromJson({
    model: {
      type: "BPE",
      vocab: { ...words, ...Object.fromEntries(fallback) },
      merges: [["▁", "a"]],
      unk_token: "<unk>",
      byte_fallback: true,
    },
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  }, null);
  assertEquals(tokenizer.encode("ab é"), [4, 3, 1, 10 + 0xc3, 10 + 0xa9]);
  assertEquals(tokenizer.decode([4, 3, 1, 10 + 0xc3, 10 + 0xa9]), "ab é");
  assertEquals(tokenizer.piece(4), " a");
  assertEquals(tokenizer.encode("<unk>").includes(0), false);
});

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(new URL(name, MODEL)));
}

/** A BPE tokenizer without a pre-tokenizer whose token 0 … 255 is that character. */
function tinyBpe(
  changes: Record<string, unknown>,
  { words = {}, added }: { words?: Record<string, number>; added?: unknown[] },
): Tokenizer {
  const characters = Array.from({ length: 256 }, (_, i) => [String.fromCharCode(i), i]);
  return Tokenizer.fromJson({
    model: {
      type: "BPE",
      vocab: { ...Object.fromEntries(characters), ...words },
      merges: [],
      ...changes,
    },
    added_tokens: added ?? [{ id: 300, content: "<s>", special: true }],
    decoder: { type: "Fuse" },
  }, null);
}

/** Text of characters of one to four bytes, white space of all kinds and words. */
function randomTexts(count: number, length = 40): string[] {
  const draws = noise(count * length);
  const planes = [0x80, 0x800, 0xd800, 0x10000 + 0x10000];
  return Array.from({ length: count }, (_, t) =>
    Array.from({ length }, (_, i) => {
      const draw = Math.abs(draws[t * length + i]!);
      if (draw < 0.5) return [" ", "the", "'s", "\n", "\u0085", "\ufeff", "7"][i % 7]!;
      const code = Math.floor((draw - 0.5) * 2 * planes[i % 4]!);
      return code >= 0xd800 && code < 0xe000 ? "�" : String.fromCodePoint(code);
    }).join(""));
}
