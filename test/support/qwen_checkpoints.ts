import { join } from "@std/path";
import { type FamilyConfig, readFamilyConfig } from "../../src/model/family.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import {
  encode,
  type TestFloatType,
  type TestTensor,
  writeJson,
  writeSafetensors,
} from "./checkpoints.ts";
import { noise } from "./noise.ts";
import { withTempDir } from "./temp_dir.ts";

/** Fields of `config.json` that the shapes follow from; any other field may be added or replaced. */
export interface TinyQwenConfig extends Record<string, unknown> {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim?: number | undefined;
  readonly tie_word_embeddings: boolean;
}

/** Options of {@linkcode writeTinyQwen}. */
export interface TinyQwenOptions {
  /** Replaces fields of {@linkcode TINY_QWEN}; `undefined` leaves one out. */
  readonly config?: Record<string, unknown>;
  readonly dtype?: TestFloatType;
  readonly hasQkNorm?: boolean;
  readonly hasBias?: boolean;
  /** Adds tensors, or with `null` takes some out. */
  readonly tensors?: Readonly<Record<string, TestTensor | null>>;
  /** Added tokens of `tokenizer_config.json` by id, and its other fields. */
  readonly added?: Readonly<Record<string, string>>;
  readonly tokenizer?: Record<string, unknown>;
}

/** Mask 96, ends 95 and 93 as in the recordings; one key/value head for three. */
export const TINY_QWEN: TinyQwenConfig = {
  model_type: "sdar",
  vocab_size: 97,
  hidden_size: 36,
  intermediate_size: 44,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  head_dim: 10,
  tie_word_embeddings: false,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  rope_scaling: null,
  sliding_window: null,
  use_sliding_window: false,
  attention_bias: false,
  hidden_act: "silu",
  max_position_embeddings: 64,
  eos_token_id: 93,
  torch_dtype: "float32",
};

const ADDED = { "93": "<|endoftext|>", "95": "<|im_end|>", "96": "<|MASK|>" };

/**
 * Writes a small checkpoint of a decoder with random weights and what names its special tokens, but no
 * `tokenizer.json`.
 *
 * Weights are whole multiples of 2^-9 below 2^-2, and of every 6 neighbours one is 127 of them: all
 * formats hold them exactly, int8 with its scale of 32 neighbours too.
 */
export function writeTinyQwen(directory: string, options: TinyQwenOptions = {}): void {
  const { dtype = "F32", tensors = {}, added = ADDED, tokenizer = {} } = options;
  const config = { ...TINY_QWEN, ...options.config };
  writeJson(join(directory, "config.json"), config);
  const named = Object.entries({ ...tinyQwenTensors(config, options, dtype), ...tensors });
  const present = named.filter((each): each is [string, TestTensor] => each[1] !== null);
  writeSafetensors(join(directory, "model.safetensors"), Object.fromEntries(present));
  writeJson(join(directory, "tokenizer_config.json"), {
    added_tokens_decoder: Object.fromEntries(
      Object.entries(added).map(([id, content]) => [id, { content, special: true }]),
    ),
    ...tokenizer,
  });
}

/** Names and shapes of a decoder's tensors. */
export function qwenShapes(
  config: TinyQwenConfig,
  { hasQkNorm = true, hasBias = false }: Pick<TinyQwenOptions, "hasQkNorm" | "hasBias"> = {},
): Record<string, number[]> {
  const { hidden_size: D, num_attention_heads: heads, head_dim: d = D / heads } = config;
  const { intermediate_size: F, num_key_value_heads: shared, vocab_size: V } = config;
  const shapes: Record<string, number[]> = { "model.embed_tokens.weight": [V, D] };
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const name = `model.layers.${i}`;
    shapes[`${name}.input_layernorm.weight`] = [D];
    shapes[`${name}.post_attention_layernorm.weight`] = [D];
    for (const [part, count] of [["q", heads], ["k", shared], ["v", shared]] as const) {
      shapes[`${name}.self_attn.${part}_proj.weight`] = [count * d, D];
      if (hasBias) shapes[`${name}.self_attn.${part}_proj.bias`] = [count * d];
      if (hasQkNorm && part !== "v") shapes[`${name}.self_attn.${part}_norm.weight`] = [d];
    }
    shapes[`${name}.self_attn.o_proj.weight`] = [D, heads * d];
    shapes[`${name}.mlp.gate_proj.weight`] = [F, D];
    shapes[`${name}.mlp.up_proj.weight`] = [F, D];
    shapes[`${name}.mlp.down_proj.weight`] = [D, F];
  }
  shapes["model.norm.weight"] = [D];
  if (!config.tie_word_embeddings) shapes["lm_head.weight"] = [V, D];
  return shapes;
}

function tinyQwenTensors(
  config: TinyQwenConfig,
  options: TinyQwenOptions,
  dtype: TestFloatType,
): Record<string, TestTensor> {
  return Object.fromEntries(
    Object.entries(qwenShapes(config, options)).map(([name, shape], seed) => [
      name,
      qwenTensor(shape, { seed, dtype, center: name.endsWith("norm.weight") ? 1 : 0 }),
    ]),
  );
}

/** A tensor of numbers that every format holds exactly. */
export function qwenTensor(
  shape: readonly number[],
  { seed = 0, dtype = "F32", center = 0 }: {
    seed?: number;
    dtype?: TestFloatType;
    center?: number;
  } = {},
): TestTensor {
  const width = shape.at(-1)!;
  const length = shape.reduce((product, size) => product * size, 1);
  const values = noise(length, 1000 + seed).map((each, i) => {
    const whole = i % width % 6 === 0 ? Math.sign(each) || 1 : Math.round(126 * each) / 127;
    return center + whole * 127 / 512;
  });
  return { dtype, shape, data: encode(values, dtype) };
}

/** Configuration of any family of decoders. */
export type QwenFamily = Exclude<FamilyConfig, { modelType: "bd3lm" }>;

/** What is read of a tiny checkpoint in a directory of some name, with further files beside it. */
export function readTinyQwen(
  options: TinyQwenOptions = {},
  { files = {}, name = "model" }: { files?: Record<string, unknown>; name?: string } = {},
): QwenFamily {
  return withTempDir((temporary) => {
    const directory = join(temporary, name);
    Deno.mkdirSync(directory, { recursive: true });
    writeTinyQwen(directory, options);
    for (const [file, value] of Object.entries(files)) writeJson(join(directory, file), value);
    return readQwen(directory);
  });
}

/** What is read of a decoder's checkpoint. */
export function readQwen(directory: string): QwenFamily {
  using checkpoint = Checkpoint.open(directory);
  const config = readFamilyConfig(checkpoint);
  if (config.modelType === "bd3lm") throw new TypeError(`"${directory}" is no decoder`);
  return config;
}
