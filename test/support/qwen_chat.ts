import { gunzipSync } from "node:zlib";
import { join } from "@std/path";
import { trainBpe } from "../../src/text/train_bpe.ts";
import { writeJson, writeTinyCheckpoint } from "./checkpoints.ts";
import { writeTinyQwen } from "./qwen_checkpoints.ts";

/** Templates of chats, as the models of {@linkcode writeQwenChat} have them. */
export const QWEN_TEMPLATES = {
  /** Chats without a system turn get one. */
  defaultSystem: readFixture("qwen-chat/default_system.jinja"),
  /** What earlier turns thought is left out. */
  thinking: readFixture("qwen-chat/thinking.jinja"),
};

/** Merges that only text split in another way than Qwen's would use: `20`, and `1'`. */
const NEVER_USED = [["2", "0"], ["1", "'"]] as const;
/** Merges that only text split in Qwen's way uses: `'L`, `(t`, and two line breaks. */
const QWEN_ONLY = [["'", "L"], ["(", "t"], ["\u010a", "\u010a"]] as const;

/** Added tokens in the order of their ids, the mask last; `true` for those flagged special. */
const ADDED: readonly (readonly [content: string, isSpecial: boolean])[] = [
  ["<|endoftext|>", true],
  ["<|im_start|>", true],
  ["<|im_end|>", true],
  ["<tool_call>", false],
  ["<think>", false],
  ["</think>", false],
  ["<|MASK|>", false],
];

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false };

/** The base vocabulary: a few hundred tokens of English. */
const BASE = (() => {
  const { tokens, merges } = trainBpe([storyText()], 400);
  const more = [...NEVER_USED, ...QWEN_ONLY].filter(([a, b]) => !tokens.includes(a + b));
  return {
    tokens: [...tokens, ...more.map(([a, b]) => a + b)],
    merges: [...merges, ...more].map((pair) => pair.join(" ")),
  };
})();

const VOCAB = Object.fromEntries(BASE.tokens.map((token, id) => [token, id]));

/** Ids of the added tokens by their content. */
export const QWEN_IDS: ReadonlyMap<string, number> = new Map(
  ADDED.map(([content], i) => [content, BASE.tokens.length + i]),
);

/** Tokens of the vocabulary, the mask the last of them. */
export const QWEN_VOCAB_SIZE = BASE.tokens.length + ADDED.length;

const DECODER = Object.fromEntries(ADDED.map(([content, special], i) => [
  BASE.tokens.length + i,
  { content, special, lstrip: false, rstrip: false, normalized: false, single_word: false },
]));

/** `tokenizer.json` of the kind that Qwen's models have, with a small vocabulary. */
export const QWEN_TOKENIZER = {
  added_tokens: Object.entries(DECODER).map(([id, token]) => ({ id: Number(id), ...token })),
  normalizer: { type: "NFC" },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      {
        type: "Split",
        pattern: {
          Regex: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
            " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        },
        behavior: "Isolated",
        invert: false,
      },
      { ...BYTE_LEVEL, use_regex: false },
    ],
  },
  post_processor: { ...BYTE_LEVEL, use_regex: false },
  decoder: { ...BYTE_LEVEL, use_regex: false },
  model: { type: "BPE", vocab: VOCAB, merges: BASE.merges, unk_token: null },
};

/** `tokenizer_config.json` without a template: the mask has no name in it, and there is no BOS. */
export const QWEN_CONFIG = {
  tokenizer_class: "Qwen2Tokenizer",
  bos_token: null,
  eos_token: "<|im_end|>",
  pad_token: "<|endoftext|>",
  additional_special_tokens: ["<|im_start|>", "<|im_end|>"],
  added_tokens_decoder: DECODER,
};

/** How the text of a checkpoint is written. */
export interface QwenChatOptions {
  readonly template: string;
  /** Whether its tokenizer is in one file or, as some have it, in several. */
  readonly tokenizer?: "one file" | "several files";
}

/**
 * Writes a small BD3-LM with random weights that chats as models of the Qwen kind do.
 *
 * @returns The directory.
 */
export function writeQwenChat(directory: string, options: QwenChatOptions): string {
  writeTinyCheckpoint(directory, {
    hasTokenizer: false,
    config: { vocab_size: QWEN_VOCAB_SIZE, model_length: 256, bos_token_id: null },
  });
  return writeText(directory, options);
}

/**
 * Writes a small SDAR with random weights that chats as models of the Qwen kind do.
 *
 * @returns The directory.
 */
export function writeSdarChat(directory: string, options: QwenChatOptions): string {
  const eos_token_id = QWEN_IDS.get("<|endoftext|>")!;
  const config = { vocab_size: QWEN_VOCAB_SIZE, max_position_embeddings: 512, eos_token_id };
  writeTinyQwen(directory, { config });
  return writeText(directory, options);
}

function writeText(
  directory: string,
  { template, tokenizer = "one file" }: QwenChatOptions,
): string {
  const [end, text] = [QWEN_IDS.get("<|im_end|>"), QWEN_IDS.get("<|endoftext|>")];
  writeJson(join(directory, "generation_config.json"), { eos_token_id: [end, text] });
  writeJson(join(directory, "tokenizer_config.json"), { ...QWEN_CONFIG, chat_template: template });
  if (tokenizer === "one file") {
    writeJson(join(directory, "tokenizer.json"), QWEN_TOKENIZER);
    return directory;
  }
  writeJson(join(directory, "vocab.json"), VOCAB);
  // Spelled in another way than in the config, which decides.
  const mask = QWEN_IDS.get("<|MASK|>");
  const listed = Object.fromEntries([...QWEN_IDS].filter(([, id]) => id !== mask));
  writeJson(join(directory, "added_tokens.json"), { ...listed, "<MASK>": mask });
  const merges = ["#version: 0.2", ...BASE.merges, ""].join("\n");
  Deno.writeTextFileSync(join(directory, "merges.txt"), merges);
  return directory;
}

function storyText(): string {
  const packed = Deno.readFileSync(fixture("tinystories-valid-excerpt.txt.gz"));
  return new TextDecoder().decode(gunzipSync(packed)).slice(0, 20_000);
}

function readFixture(name: string): string {
  return Deno.readTextFileSync(fixture(name));
}

function fixture(name: string): URL {
  return new URL(`../fixtures/${name}`, import.meta.url);
}
