import { join } from "@std/path";
import { noise } from "./noise.ts";

/** Data of one tensor, as a safetensors file holds it. */
export interface TestTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Little-endian. */
  readonly data: Uint8Array;
}

/** Element types that {@linkcode writeTinyCheckpoint} can write. */
export type TestFloatType = "F32" | "F16" | "BF16";

/** Fields of `config.json` that the shapes follow from; any other field may be added. */
export interface TinyConfig extends Record<string, unknown> {
  readonly vocab_size: number;
  readonly model_length: number;
  readonly block_size: number;
  readonly hidden_dim: number;
  readonly n_blocks: number;
  readonly n_heads: number;
  readonly cond_dim: number;
  readonly adaln?: boolean | undefined;
}

/** Options of {@linkcode writeTinyCheckpoint}. */
export interface TinyOptions {
  /** Replaces fields of {@linkcode TINY_CONFIG}; `vocab_size` is at least 258 with a tokenizer. */
  readonly config?: Record<string, unknown>;
  readonly dtype?: TestFloatType;
  readonly seed?: number;
  /** 1 writes `model.safetensors`, more write an index and that many files. */
  readonly shards?: number;
  readonly hasTokenizer?: boolean;
}

/** 256 bytes, then the end token, then the mask. */
export const TINY_CONFIG: TinyConfig = {
  architectures: ["BD3LM"],
  model_type: "bd3lm",
  attn_backend: "sdpa",
  adaln: true,
  block_size: 4,
  causal: false,
  cond_dim: 8,
  cross_attn: true,
  dropout: 0.1,
  hidden_dim: 16,
  model_length: 32,
  n_blocks: 2,
  n_heads: 2,
  time_conditioning: false,
  vocab_size: 258,
};

/**
 * Writes a small, complete and servable checkpoint with random weights: a byte-level tokenizer
 * without merges, 256 bytes, `<|endoftext|>` 256 and `<|mask|>` 257.
 *
 * @returns The directory, made if need be.
 */
export function writeTinyCheckpoint(directory: string, options: TinyOptions = {}): string {
  const { dtype = "F32", seed = 1, shards = 1, hasTokenizer = true } = options;
  const config = { ...TINY_CONFIG, ...options.config };
  Deno.mkdirSync(directory, { recursive: true });
  writeJson(join(directory, "config.json"), config);
  const tensors = tinyTensors(config, { dtype, seed });
  if (shards === 1) writeSafetensors(join(directory, "model.safetensors"), tensors);
  else writeShards(directory, tensors, shards);
  if (hasTokenizer) {
    writeJson(join(directory, "tokenizer.json"), tinyTokenizer());
    writeJson(join(directory, "tokenizer_config.json"), {
      tokenizer_class: "PreTrainedTokenizerFast",
      bos_token: "<|endoftext|>",
      eos_token: "<|endoftext|>",
      mask_token: "<|mask|>",
    });
  }
  return directory;
}

/** Writes a value as JSON. */
export function writeJson(path: string, value: unknown): void {
  Deno.writeTextFileSync(path, JSON.stringify(value));
}

/** Writes tensors in the order given, without holes. */
export function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TestTensor>>,
): void {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let position = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [position, position + data.length] };
    position += data.length;
  }
  writeRawSafetensors(path, JSON.stringify(header), Object.values(tensors).map((t) => t.data));
}

/** Writes a header as it is, padded with spaces to 8 bytes, then the data. */
export function writeRawSafetensors(
  path: string,
  header: string,
  data: readonly Uint8Array[],
): void {
  const text = new TextEncoder().encode(header);
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text);
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(padded.length), true);
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (const part of [new Uint8Array(length.buffer), padded, ...data]) {
    for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done));
  }
}

/** Names and shapes as the official class prints them. */
export function tinyShapes(config: TinyConfig): Record<string, number[]> {
  const { vocab_size: V, hidden_dim: D, cond_dim: C, n_heads: heads } = config;
  const hasAdaln = config.adaln !== false; // As on the hub, absent means true.
  const shapes: Record<string, number[]> = {
    "sampling_eps_min": [],
    "sampling_eps_max": [],
    "backbone.vocab_embed.embedding": [V, D],
    "backbone.rotary_emb.inv_freq": [D / heads / 2],
  };
  for (let i = 0; i < config.n_blocks; i++) {
    const layer = `backbone.blocks.${i}`;
    shapes[`${layer}.norm1.weight`] = [D];
    shapes[`${layer}.attn_qkv.weight`] = [3 * D, D];
    shapes[`${layer}.attn_out.weight`] = [D, D];
    shapes[`${layer}.norm2.weight`] = [D];
    shapes[`${layer}.mlp.0.weight`] = [4 * D, D];
    shapes[`${layer}.mlp.0.bias`] = [4 * D];
    shapes[`${layer}.mlp.2.weight`] = [D, 4 * D];
    shapes[`${layer}.mlp.2.bias`] = [D];
    if (!hasAdaln) continue;
    shapes[`${layer}.adaLN_modulation.weight`] = [6 * D, C];
    shapes[`${layer}.adaLN_modulation.bias`] = [6 * D];
  }
  shapes["backbone.output_layer.norm_final.weight"] = [D];
  shapes["backbone.output_layer.linear.weight"] = [V, D];
  shapes["backbone.output_layer.linear.bias"] = [V];
  if (!hasAdaln) return shapes;
  shapes["backbone.output_layer.adaLN_modulation.weight"] = [2 * D, C];
  shapes["backbone.output_layer.adaLN_modulation.bias"] = [2 * D];
  shapes["backbone.sigma_map.mlp.0.weight"] = [C, 256];
  shapes["backbone.sigma_map.mlp.0.bias"] = [C];
  shapes["backbone.sigma_map.mlp.2.weight"] = [C, C];
  shapes["backbone.sigma_map.mlp.2.bias"] = [C];
  return shapes;
}

/** Uniform noise in ±0.2; around 1 for the gains of norms. */
export function tinyTensors(
  config: TinyConfig,
  { dtype, seed }: { dtype: TestFloatType; seed: number },
): Record<string, TestTensor> {
  return Object.fromEntries(
    Object.entries(tinyShapes(config)).map(([name, shape], index) => {
      const center = /norm(1|2|_final)\.weight$/.test(name) ? 1 : 0;
      const length = shape.reduce((product, size) => product * size, 1);
      const values = noise(length, 1000 * seed + index).map((each) => center + 0.2 * each);
      return [name, { dtype, shape, data: encode(values, dtype) }];
    }),
  );
}

/** A `tokenizer.json` as GPT-2's, with single bytes for a vocabulary. */
export function tinyTokenizer(): Record<string, unknown> {
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["<|endoftext|>", "<|mask|>"].map((content, i) => (
      { id: 256 + i, content, ...special, special: true }
    )),
    normalizer: null,
    pre_tokenizer: {
      type: "ByteLevel",
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(byteCharacters().map((character, byte) => [character, byte])),
      merges: [],
    },
  };
}

/** The character that GPT-2's byte-level alphabet has for each byte. */
function byteCharacters(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => (
    String.fromCharCode(isPrintable(byte) ? byte : next++)
  ));
}

/** Values as a file holds them; BF16 drops what does not fit. */
export function encode(values: Float32Array<ArrayBuffer>, dtype: TestFloatType): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.buffer);
  if (dtype === "F16") return new Uint8Array(Float16Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (each) => each >>> 16).buffer);
}

function writeShards(
  directory: string,
  tensors: Readonly<Record<string, TestTensor>>,
  shards: number,
): void {
  const entries = Object.entries(tensors);
  const digits = (n: number) => String(n).padStart(5, "0");
  const weightMap: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const file = `model-${digits(i + 1)}-of-${digits(shards)}.safetensors`;
    const part = entries.filter((_, index) => index % shards === i);
    for (const [name] of part) weightMap[name] = file;
    writeSafetensors(join(directory, file), Object.fromEntries(part));
  }
  const total = entries.reduce((sum, [, { data }]) => sum + data.length, 0);
  writeJson(join(directory, "model.safetensors.index.json"), {
    metadata: { total_size: total },
    weight_map: weightMap,
  });
}
