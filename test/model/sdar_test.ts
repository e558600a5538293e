import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError } from "../../src/weights/checkpoint.ts";
import { writeJson, writeRawSafetensors } from "../support/checkpoints.ts";
import {
  readQwen,
  readTinyQwen,
  TINY_QWEN,
  type TinyQwenOptions,
  writeTinyQwen,
} from "../support/qwen_checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

// What the published indexes give as the size of all tensors, in two bytes each.
for (
  const [name, sizes, bytes] of [
    ["SDAR-4B-Chat", [36, 2560, 9728, 32], 8_822_848_512],
    ["SDAR-8B-Chat", [36, 4096, 12_288, 32], 16_381_470_720],
  ] as const
) {
  Deno.test(`readSdarConfig() counts the parameters of ${name}`, () => {
    const [layers, hidden, inner, heads] = sizes;
    const config = {
      ...TINY_QWEN,
      num_hidden_layers: layers,
      hidden_size: hidden,
      intermediate_size: inner,
      num_attention_heads: heads,
      num_key_value_heads: 8,
      head_dim: 128,
      vocab_size: 151_936,
    };
    withTempDir((directory) => {
      writeTinyQwen(directory);
      writeJson(join(directory, "config.json"), config);
      writeHollow(join(directory, "model.safetensors"), shapesOf(config));
      assertEquals(readQwen(directory).parameters, bytes / 2);
    });
  });
}

/** A file with room for tensors, and nothing in it: it takes no space on most disks. */
function writeHollow(path: string, shapes: readonly (readonly [string, readonly number[]])[]) {
  let end = 0;
  const header = Object.fromEntries(shapes.map(([name, shape]) => {
    const begin = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: "BF16", shape, data_offsets: [begin, end] }];
  }));
  writeRawSafetensors(path, JSON.stringify(header), []);
  Deno.truncateSync(path, Deno.statSync(path).size + end);
}

/** Names and shapes as the reference lists them for SDAR. */
function shapesOf(config: typeof TINY_QWEN): (readonly [string, readonly number[]])[] {
  const { hidden_size: D, intermediate_size: F, vocab_size: V, head_dim: d = 0 } = config;
  const [q, k] = [config.num_attention_heads * d, config.num_key_value_heads * d];
  const layer = (name: string) =>
    [
      [`${name}.input_layernorm.weight`, [D]],
      [`${name}.post_attention_layernorm.weight`, [D]],
      [`${name}.self_attn.q_proj.weight`, [q, D]],
      [`${name}.self_attn.k_proj.weight`, [k, D]],
      [`${name}.self_attn.v_proj.weight`, [k, D]],
      [`${name}.self_attn.o_proj.weight`, [D, q]],
      [`${name}.self_attn.q_norm.weight`, [d]],
      [`${name}.self_attn.k_norm.weight`, [d]],
      [`${name}.mlp.gate_proj.weight`, [F, D]],
      [`${name}.mlp.up_proj.weight`, [F, D]],
      [`${name}.mlp.down_proj.weight`, [D, F]],
    ] as const;
  return [
    ["model.embed_tokens.weight", [V, D]],
    ...Array.from(
      { length: config.num_hidden_layers },
      (_, i) => layer(`model.layers.${i}`),
    ).flat(),
    ["model.norm.weight", [D]],
    ["lm_head.weight", [V, D]],
  ];
}

/** Where the trained block size comes from, and what it is. */
const BLOCKS: readonly [
  from: string,
  config: Record<string, unknown>,
  name: string,
  size: number,
][] = [
  ["block_size", { block_size: 8 }, "SDAR-1.7B-Chat-b16", 8],
  ["bd_size", { bd_size: 16 }, "SDAR-1.7B-Chat", 16],
  ["the name of the directory", {}, "SDAR-1.7B-Chat-b16", 16],
  ["the name before others", {}, "SDAR-b64-Chat", 64],
  ["the repository of a snapshot", {}, "models--JetLM--SDAR-1.7B-b8/snapshots/0123abc", 8],
  ["the family, whatever sizes stand in the name", {}, "SDAR-1.7B-base2-b", 4],
  ["the family, where the field is null", { block_size: null }, "SDAR-4B", 4],
  ["the family of Tiny-A2D", { model_type: "a2d-qwen3" }, "Qwen3-0.6B-diffusion", 32],
  ["the family of Fast-dLLM", { model_type: "Fast_dLLM_Qwen" }, "Fast_dLLM_v2", 32],
  ["bd_size of Fast-dLLM", { model_type: "Fast_dLLM_Qwen", bd_size: 2 }, "Fast_dLLM_v2-b4", 2],
];

for (const [from, config, name, size] of BLOCKS) {
  Deno.test(`readSdarConfig() takes the block size from ${from}`, () => {
    const { blockSize, blockSizes } = readTinyQwen({ config }, { name });
    assertEquals([blockSize, blockSizes], [size, [size]]);
  });
}

Deno.test("readSdarConfig() loads Tiny-A2D as SDAR, with its own defaults", () => {
  const config = { model_type: "a2d-qwen3", tie_word_embeddings: true };
  const { modelType, isTied, decoding, defaults } = readTinyQwen({ config });
  assertEquals([modelType, isTied, decoding.quota], ["sdar", true, "schedule"]);
  assertEquals(defaults, { temperature: 0, strategy: "low_confidence_static" });
});

/** What is refused, and what the message names. */
const REFUSED: readonly [what: string, options: TinyQwenOptions, message: string][] = [
  ["a block of 0", { config: { block_size: 0 } }, '"block_size" is 0'],
  ["a block of 1.5", { config: { block_size: 1.5 } }, '"block_size" is 1.5'],
  ["a block in words", { config: { bd_size: "4" } }, '"bd_size" is "4"'],
];

for (const [what, options, message] of REFUSED) {
  Deno.test(`readSdarConfig() refuses ${what}`, () => {
    const error = assertThrows(() => readTinyQwen(options), CheckpointError, message);
    assertEquals(error.code, "invalid_config");
  });
}
