import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "../../src/weights/checkpoint.ts";
import { readTinyQwen, type TinyQwenOptions } from "../support/qwen_checkpoints.ts";

/** Where the mask and the ends come from, and what they are. */
const TOKENS: readonly [
  from: string,
  options: TinyQwenOptions,
  files: Record<string, unknown>,
  tokens: readonly [mask: number, ...stops: number[]],
][] = [
  ["mask_token_id", { config: { mask_token_id: 7 } }, {}, [7, 93]],
  [
    "the tokenizer's mask_token",
    { tokenizer: { mask_token: "[M]" }, added: { "5": "[M]", "6": "<mask>" } },
    {},
    [5, 93],
  ],
  ["an added token, spelled in any way", { added: { "4": "|<Mask>|", "3": "unmask" } }, {}, [
    4,
    93,
  ]],
  ["added_tokens.json", { added: {} }, { "added_tokens.json": { "<MASK>": 11, "<s>": 1 } }, [
    11,
    93,
  ]],
  [
    "tokenizer.json",
    { added: {} },
    { "tokenizer.json": { added_tokens: [{ id: 12, content: "<|mask|>" }] } },
    [12, 93],
  ],
  [
    "all files, each end once",
    { tokenizer: { eos_token: "</s>" }, added: { "96": "<mask>", "3": "</s>" } },
    { "generation_config.json": { eos_token_id: [95, 93, 2] } },
    [96, 93, 95, 2, 3],
  ],
  ["a list in config.json", { config: { eos_token_id: [95, 93] } }, {}, [96, 95, 93]],
  ["no file", { config: { eos_token_id: null } }, {}, [96]],
];

for (const [from, options, files, tokens] of TOKENS) {
  Deno.test(`readQwenTokens() takes token ids from ${from}`, () => {
    const { maskToken, bosToken, eosToken, stopTokens } = readTinyQwen(options, { files });
    assertEquals([maskToken, ...stopTokens], tokens);
    assertEquals([bosToken, eosToken], [null, tokens[1] ?? null]);
  });
}

/** What is refused, and what the message names. */
const REFUSED: readonly [what: string, options: TinyQwenOptions, message: string][] = [
  ["no mask", { added: {} }, '"mask_token_id" is absent'],
  ["two masks", { added: { "1": "<mask>", "2": "[MASK]" } }, "token 1 or 2"],
  ["a mask beyond the vocabulary", { config: { mask_token_id: 97 } }, "token 97"],
  ["a mask in words", { config: { mask_token_id: "96" } }, '"mask_token_id"'],
  ["an end beyond the vocabulary", { config: { eos_token_id: [1, 97] } }, "97"],
  ["a mask that ends", { config: { eos_token_id: 96 } }, '"eos_token_id" has 96'],
  ["more than four ends", { config: { eos_token_id: [1, 2, 3, 4, 5] } }, "5 tokens"],
];

for (const [what, options, message] of REFUSED) {
  Deno.test(`readQwenTokens() refuses ${what}`, () => {
    const error = assertThrows(() => readTinyQwen(options), CheckpointError, message);
    assertEquals(error.code, "invalid_config");
  });
}
