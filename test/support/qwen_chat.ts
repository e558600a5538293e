import { gunzipSync } from "node:zlib";
import { join } from "@std/path";
import { trainBpe } from "../../src/text/train_bpe.ts";
import { writeJson, writeSafetensors, writeTinyCheckpoint } from "./checkpoints.ts";
import { noise } from "./noise.ts";

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

/** `config.json` of a small SDAR without block size and mask: they stand elsewhere. */
const SDAR = {
  ...{ model_type: "sdar", architectures: ["SDARForCausalLM"], vocab_size: QWEN_VOCAB_SIZE },
  ...{ hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
  ...{ attention_bias: false, hidden_act: "silu", rms_norm_eps: 1e-6, rope_theta: 1_000_000 },
  ...{ rope_scaling: null, sliding_window: null, use_sliding_window: false },
  ...{ tie_word_embeddings: false, max_position_embeddings: 512, torch_dtype: "float32" },
  ...{ bos_token_id: QWEN_IDS.get("<|endoftext|>"), eos_token_id: QWEN_IDS.get("<|endoftext|>") },
};

/**
 * Writes a small SDAR with random weights that chats as models of the Qwen kind do.
 *
 * @returns The directory.
 */
export function writeSdarChat(
  directory: string,
  options: Parameters<typeof writeQwenChat>[1],
): string {
  writeQwenChat(directory, options);
  writeJson(join(directory, "config.json"), SDAR);
  const tensors = Object.entries(sdarShapes()).map(([name, shape], index) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const values = noise(length, index).map((each) => name.includes("norm") ? 1 + each / 5 : each);
    const data = new Uint8Array(Float32Array.from(values).buffer);
    return [name, { dtype: "F32", shape, data }];
  });
  writeSafetensors(join(directory, "model.safetensors"), Object.fromEntries(tensors));
  return directory;
}

function sdarShapes(): Record<string, number[]> {
  const { vocab_size: V, hidden_size: D, intermediate_size: F, head_dim: d } = SDAR;
  const [queries, keys] = [SDAR.num_attention_heads * d, SDAR.num_key_value_heads * d];
  const layer = (i: number) =>
    Object.entries({
      ...{ "input_layernorm": [D], "post_attention_layernorm": [D] },
      ...{ "self_attn.q_proj": [queries, D], "self_attn.k_proj": [keys, D] },
      ...{ "self_attn.v_proj": [keys, D], "self_attn.o_proj": [D, queries] },
      ...{ "self_attn.q_norm": [d], "self_attn.k_norm": [d] },
      ...{ "mlp.gate_proj": [F, D], "mlp.up_proj": [F, D], "mlp.down_proj": [D, F] },
    }).map(([name, shape]) => [`model.layers.${i}.${name}.weight`, shape]);
  const layers = Array.from({ length: SDAR.num_hidden_layers }, (_, i) => layer(i)).flat();
  return {
    ...{ "model.embed_tokens.weight": [V, D], "model.norm.weight": [D], "lm_head.weight": [V, D] },
    ...Object.fromEntries(layers),
  };
}

/**
 * Writes a small checkpoint with random weights that chats as models of the Qwen kind do.
 *
 * @param tokenizer Whether its tokenizer is in one file or, as some have it, in several.
 * @returns The directory.
 */
export function writeQwenChat(
  directory: string,
  { template, tokenizer = "one file" }: {
    readonly template: string;
    readonly tokenizer?: "one file" | "several files";
  },
): string {
  const [end, text] = [QWEN_IDS.get("<|im_end|>"), QWEN_IDS.get("<|endoftext|>")];
  writeTinyCheckpoint(directory, {
    hasTokenizer: false,
    config: { vocab_size: QWEN_VOCAB_SIZE, model_length: 256, bos_token_id: null },
  });
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
