import { join } from "@std/path";
import { writeJson } from "../checkpoints.ts";
import { type Damage, editJson } from "./damage.ts";

const CONFIG = "config.json";

/** Sets one key of `config.json`; undefined removes it. */
function key(name: string, value: unknown, code: Damage["code"] = "invalid_config"): Damage {
  const shown = JSON.stringify(value)?.slice(0, 40) ?? "absent";
  return {
    name: `config with ${name} ${shown}`,
    file: CONFIG,
    code,
    says: name,
    apply: (directory) =>
      editJson(join(directory, CONFIG), (config) => ({ ...config, [name]: value })),
  };
}

function written(name: string, bytes: string | Uint8Array): Damage {
  return {
    name,
    file: CONFIG,
    code: "invalid_json",
    apply: (directory) =>
      Deno.writeFileSync(
        join(directory, CONFIG),
        typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
      ),
  };
}

/** Token ids in a file that the sound checkpoint does not have. */
function inFile(name: string, file: string, value: unknown, code: Damage["code"]): Damage {
  return { name, file, code, apply: (directory) => writeJson(join(directory, file), value) };
}

/** Spoiled `config.json` and token ids. */
export const CONFIG_DAMAGE: readonly Damage[] = [
  written("empty config", ""),
  written("config cut short", '{"model_type":"bd3lm",'),
  written("config that is a list", "[]"),
  written("config that is null", "null"),
  written("config in UTF-16", Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0)),
  written("config with a byte order mark", Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)),
  written("config with a repeated key", '{"model_type":"bd3lm","model_type":"sdar"}'),
  written("config nested three million levels", '{"x":' + "[".repeat(3_000_000) + "}"),
  written("config in Python's notation", "{'model_type': 'bd3lm'}"),
  written("config with Infinity", '{"model_type":"bd3lm","dropout":Infinity}'),
  {
    name: "sparse config of a TiB",
    file: CONFIG,
    code: "file_too_large",
    apply: (directory) => Deno.truncateSync(join(directory, CONFIG), 2 ** 40),
  },
  key("model_type", undefined, "unsupported_model"),
  key("model_type", null, "unsupported_model"),
  key("model_type", "gpt2", "unsupported_model"),
  key("model_type", "BD3LM", "unsupported_model"),
  key("model_type", ["bd3lm"], "unsupported_model"),
  key("model_type", "x".repeat(1_000_000), "unsupported_model"),
  key("cross_attn", false, "unsupported_model"),
  key("causal", true, "unsupported_model"),
  key("causal", "false"),
  key("cross_attn", 1),
  key("adaln", null),
  key("time_conditioning", "no"),
  key("vocab_size", undefined),
  key("vocab_size", 0),
  key("vocab_size", 1),
  key("vocab_size", -258),
  key("vocab_size", "258"),
  key("vocab_size", 258.5),
  key("vocab_size", 2 ** 40),
  key("vocab_size", [258]),
  key("model_length", undefined),
  key("model_length", 0),
  key("model_length", 1e300),
  key("block_size", undefined),
  key("block_size", 0),
  key("block_size", 3),
  key("block_size", 64),
  key("block_size", 2048),
  key("hidden_dim", undefined),
  key("hidden_dim", 0),
  key("hidden_dim", 1e9),
  key("n_blocks", undefined),
  key("n_blocks", 0),
  key("n_blocks", 1_000_000_000),
  key("n_heads", undefined),
  key("n_heads", 0),
  key("n_heads", 3),
  key("n_heads", 16), // Heads of one number cannot be rotated.
  key("cond_dim", 0),
  key("cond_dim", null),
  key("mask_token_id", 258),
  key("mask_token_id", -1),
  key("mask_token_id", 1.5),
  key("mask_token_id", "257"),
  key("bos_token_id", 258),
  key("bos_token_id", {}),
  key("eos_token_id", 1e20),
  key("eos_token_id", 257), // The mask.
  key("eos_token_id", []),
  {
    name: "config with more blocks than the weights",
    file: "model.safetensors",
    code: "missing_tensor",
    says: "blocks.2.",
    apply: (directory) =>
      editJson(join(directory, CONFIG), (config) => ({ ...config, n_blocks: 3 })),
  },
  {
    name: "config with another width than the weights",
    file: "model.safetensors",
    code: "wrong_shape",
    says: "[258,8]",
    apply: (directory) =>
      editJson(join(directory, CONFIG), (config) => ({ ...config, hidden_dim: 8 })),
  },
  {
    name: "config without adaln for weights with it",
    file: "model.safetensors",
    code: "unexpected_tensor",
    says: "adaLN_modulation",
    apply: (directory) =>
      editJson(join(directory, CONFIG), (config) => ({ ...config, adaln: false })),
  },
  inFile(
    "generation config with an end outside the vocabulary",
    "generation_config.json",
    { eos_token_id: [9999, 1] },
    "invalid_config",
  ),
  inFile("generation config that is a list", "generation_config.json", [], "invalid_json"),
  inFile(
    "tokenizer config with a mask outside the vocabulary",
    "tokenizer_config.json",
    { mask_token: { content: "M" }, added_tokens_decoder: { "258": { content: "M" } } },
    "invalid_config",
  ),
  inFile(
    "tokenizer config with an id that is no number",
    "tokenizer_config.json",
    { bos_token: "B", added_tokens_decoder: { "0x10": { content: "B" } } },
    "invalid_config",
  ),
  inFile(
    "tokenizer config with a number for a token",
    "tokenizer_config.json",
    { eos_token: 256 },
    "invalid_tokenizer",
  ),
  inFile(
    "tokenizer config with a list of added tokens",
    "tokenizer_config.json",
    { added_tokens_decoder: ["<|mask|>"] },
    "invalid_tokenizer",
  ),
  inFile("tokenizer config that is a string", "tokenizer_config.json", "GPT2", "invalid_json"),
];
