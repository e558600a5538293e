import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadTokenizer } from "../../src/commands/load_tokenizer.ts";
import { Checkpoint, CheckpointError } from "../../src/weights/checkpoint.ts";
import { writeJson } from "../support/checkpoints.ts";
import {
  QWEN_CONFIG,
  QWEN_TEMPLATES,
  QWEN_VOCAB_SIZE,
  writeQwenChat,
} from "../support/qwen_chat.ts";
import { withTempDir } from "../support/temp_dir.ts";

const TEXTS = [
  "Once upon a time, there was a little girl.",
  "I'LL we'll 2020 (the end)\n\n  x\r\n y",
  "e\u0301 <think>\ufeff\u0085😀 <|MASK|>",
];

function load(directory: string) {
  using checkpoint = Checkpoint.open(directory);
  return loadTokenizer(checkpoint, QWEN_VOCAB_SIZE);
}

const template = QWEN_TEMPLATES.thinking;

Deno.test("loadTokenizer() makes of vocab.json and merges.txt what tokenizer.json would", () => {
  withTempDir((directory) => {
    const one = load(writeQwenChat(join(directory, "one"), { template }));
    const several = load(
      writeQwenChat(join(directory, "several"), { template, tokenizer: "several files" }),
    );
    for (const text of TEXTS) {
      const tokens = one.encode(text);
      assertEquals(several.encode(text), tokens);
      assertEquals(
        [one, several].map((each) => each.decode(tokens)),
        Array(2).fill(text.normalize()),
      );
    }
    const ids = Array.from({ length: QWEN_VOCAB_SIZE }, (_, id) => id);
    assertEquals(ids.map((id) => several.piece(id)), ids.map((id) => one.piece(id)));
    assertEquals(ids.filter((id) => several.isSpecial(id)), ids.filter((id) => one.isSpecial(id)));
  });
});

Deno.test("loadTokenizer() splits as GPT-2 does for a tokenizer of its class", () => {
  withTempDir((directory) => {
    writeQwenChat(directory, { template, tokenizer: "several files" });
    writeJson(join(directory, "tokenizer_config.json"), {
      ...QWEN_CONFIG,
      tokenizer_class: "GPT2TokenizerFast",
    });
    const tokenizer = load(directory);
    assertEquals(tokenizer.encode("2020").map((token) => tokenizer.piece(token)), ["20", "20"]);
    assertEquals(tokenizer.decode(tokenizer.encode("e\u0301")), "e\u0301");
  });
});

Deno.test("loadTokenizer() refuses damaged files of a tokenizer in several", () => {
  const damages: [file: string, damage: (path: string) => void, words: string][] = [
    ["merges.txt", (path) => Deno.removeSync(path), "does not exist"],
    ["merges.txt", (path) => Deno.writeTextFileSync(path, "a b c\n"), "merge is"],
    ["merges.txt", (path) => Deno.writeTextFileSync(path, "a \ufffd\n"), "merge is"],
    ["merges.txt", (path) => Deno.writeTextFileSync(path, "a b\n".repeat(900_000)), "at most"],
    ["vocab.json", (path) => Deno.writeTextFileSync(path, "[]"), "not a JSON object"],
    ["vocab.json", (path) => writeJson(path, { a: -1 }), "expected an integer"],
    ["added_tokens.json", (path) => writeJson(path, { "<x>": "1" }), '"<x>"'],
    ["added_tokens.json", (path) => writeJson(path, { "<x>": 1e9 }), "expected an integer"],
    ["tokenizer_config.json", (path) => writeJson(path, {}), 'key "tokenizer_class" is null'],
    [
      "tokenizer_config.json",
      (path) =>
        writeJson(path, { tokenizer_class: "Qwen2Tokenizer", added_tokens_decoder: { x: {} } }),
      "added_tokens_decoder",
    ],
  ];
  for (const [file, damage, words] of damages) {
    withTempDir((directory) => {
      writeQwenChat(directory, { template, tokenizer: "several files" });
      damage(join(directory, file));
      assertThrows(() => load(directory), CheckpointError, words);
    });
  }
});

Deno.test("loadTokenizer() takes the class of a Qwen-like model for Qwen2's", () => {
  withTempDir((directory) => {
    writeQwenChat(directory, { template, tokenizer: "several files" });
    writeJson(join(directory, "tokenizer_config.json"), {
      ...QWEN_CONFIG,
      tokenizer_class: "SDARTokenizer",
    });
    const config = JSON.parse(Deno.readTextFileSync(join(directory, "config.json")));
    assertThrows(() => load(directory), CheckpointError, '"SDARTokenizer"');
    for (const model_type of ["sdar", "Fast_dLLM_Qwen", "a2d-qwen3"]) {
      writeJson(join(directory, "config.json"), { ...config, model_type });
      assertEquals(load(directory).encode("2020").length, 4);
    }
  });
});
