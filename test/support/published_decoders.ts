import { join } from "@std/path";
import { writeJson, writeRawSafetensors } from "./checkpoints.ts";
import {
  qwenShapes,
  TINY_QWEN,
  type TinyQwenConfig,
  type TinyQwenOptions,
} from "./qwen_checkpoints.ts";

/** What a published checkpoint's tensors follow from, and what its tokenizer calls the mask. */
export interface PublishedDecoder extends Pick<TinyQwenOptions, "hasQkNorm" | "hasBias"> {
  readonly config: TinyQwenConfig;
  readonly mask: { readonly id: number; readonly content: string };
}

const QWEN3: Omit<PublishedDecoder, "config"> = { mask: { id: 151_669, content: "<|MASK|>" } };

const SDAR: TinyQwenConfig = {
  ...TINY_QWEN,
  vocab_size: 151_936,
  head_dim: 128,
  num_key_value_heads: 8,
  max_position_embeddings: 32_768,
  eos_token_id: 151_643,
  torch_dtype: "bfloat16",
};

/** Shapes of checkpoints on the hub. */
export const PUBLISHED = {
  "SDAR-1.7B": {
    ...QWEN3,
    config: {
      ...SDAR,
      num_hidden_layers: 28,
      hidden_size: 2048,
      intermediate_size: 6144,
      num_attention_heads: 16,
    },
  },
  "SDAR-4B": {
    ...QWEN3,
    config: {
      ...SDAR,
      num_hidden_layers: 36,
      hidden_size: 2560,
      intermediate_size: 9728,
      num_attention_heads: 32,
    },
  },
  "SDAR-8B": {
    ...QWEN3,
    config: {
      ...SDAR,
      num_hidden_layers: 36,
      hidden_size: 4096,
      intermediate_size: 12_288,
      num_attention_heads: 32,
    },
  },
  "Tiny-A2D-0.6B": {
    mask: { id: 151_669, content: "<|mask|>" },
    config: {
      ...SDAR,
      model_type: "a2d-qwen3",
      num_hidden_layers: 28,
      hidden_size: 1024,
      intermediate_size: 3072,
      num_attention_heads: 16,
      tie_word_embeddings: true,
    },
  },
  "Fast_dLLM_v2_1.5B": fastDllm({
    num_hidden_layers: 28,
    hidden_size: 1536,
    intermediate_size: 8960,
    num_attention_heads: 12,
    num_key_value_heads: 2,
    tie_word_embeddings: true,
  }),
  "Fast_dLLM_v2_7B": fastDllm({
    num_hidden_layers: 28,
    hidden_size: 3584,
    intermediate_size: 18_944,
    num_attention_heads: 28,
    num_key_value_heads: 4,
    tie_word_embeddings: false,
    vocab_size: 152_064,
  }),
} satisfies Record<string, PublishedDecoder>;

function fastDllm(config: Partial<TinyQwenConfig>): PublishedDecoder {
  return {
    hasQkNorm: false,
    hasBias: true,
    mask: { id: 151_665, content: "|<MASK>|" },
    config: {
      ...SDAR,
      model_type: "Fast_dLLM_Qwen",
      head_dim: undefined,
      bd_size: 32,
      eos_token_id: 151_645,
      ...config,
    },
  };
}

/** Data of a shard at most, about as on the hub. */
const SHARD_BYTES = 4e9;
const ELEMENT_BYTES = 2;

/** Gives the bytes of a tensor in BF16, `null` for a hole in the file: it reads as zeros. */
export type TensorBytes = (name: string, bytes: number) => readonly Uint8Array[] | null;

/**
 * Writes a checkpoint in BF16, without a tokenizer but for what names its mask: several shards with an
 * index where it is large, as on the hub.
 */
export function writePublished(
  directory: string,
  { config, mask, ...has }: PublishedDecoder,
  bytesOf: TensorBytes = () => null,
): void {
  writeJson(join(directory, "config.json"), config);
  writeJson(join(directory, "tokenizer_config.json"), {
    added_tokens_decoder: { [mask.id]: { content: mask.content, special: false } },
  });
  const shards = shardsOf(qwenShapes(config, has));
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const file = `model-${i + 1}-of-${shards.length}.safetensors`;
    for (const { name } of shard) weightMap[name] = file;
    writeShard(join(directory, file), shard, bytesOf);
  }
  const total = shards.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  writeJson(join(directory, "model.safetensors.index.json"), {
    metadata: { total_size: total },
    weight_map: weightMap,
  });
}

interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

function shardsOf(shapes: Readonly<Record<string, readonly number[]>>): NamedTensor[][] {
  const shards: NamedTensor[][] = [];
  let room = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = shape.reduce((product, each) => product * each, ELEMENT_BYTES);
    if (bytes > room) {
      shards.push([]);
      room = SHARD_BYTES;
    }
    shards.at(-1)!.push({ name, shape, bytes }); // The first tensor makes the first.
    room -= bytes;
  }
  return shards;
}

function writeShard(path: string, tensors: readonly NamedTensor[], bytesOf: TensorBytes): void {
  const header: Record<string, unknown> = {};
  let position = 0;
  for (const { name, shape, bytes } of tensors) {
    header[name] = { dtype: "BF16", shape, data_offsets: [position, position + bytes] };
    position += bytes;
  }
  writeRawSafetensors(path, JSON.stringify(header), []);
  using file = Deno.openSync(path, { write: true });
  let at = file.seekSync(0, Deno.SeekMode.End);
  for (const { name, bytes } of tensors) {
    for (const part of bytesOf(name, bytes) ?? []) {
      for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done));
    }
    at += bytes;
    file.seekSync(at, Deno.SeekMode.Start);
  }
  file.truncateSync(at);
}
