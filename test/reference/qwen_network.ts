/** The decoder of Qwen's shape in plain loops and float64, as the formula sheet has it. */
import { join } from "@std/path";
import { type Fixture, floatsOf, hasFile, readFixture, readJson } from "../support/fixtures.ts";
import {
  addGated,
  applyRotary,
  attention,
  embed,
  linear,
  rmsNorm,
  rotaryTables,
} from "./forward.ts";
import { silu } from "./forward.ts";
import { blockCausal } from "./masks.ts";
import { concatenate } from "./layer.ts";

/** The fields of `config.json` that the network depends on. */
export interface QwenNetworkConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  /** Absent means an equal share of the hidden size. */
  readonly head_dim?: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly tie_word_embeddings?: boolean;
}

/** A checkpoint: its config and its tensors by their official names. */
export interface QwenNetwork {
  readonly config: QwenNetworkConfig;
  readonly weights: Fixture;
}

/** Keys (rotated) and values of some rows: per layer [rows, key/value heads · head size]. */
export interface KeyValues {
  readonly keys: readonly Float64Array[];
  readonly values: readonly Float64Array[];
}

/** What a pass gives. */
export interface PassResult extends KeyValues {
  /** [rows, vocabulary]. */
  readonly logits: Float64Array;
}

/** The checkpoint in `folder`: one file, or all shards of `model.safetensors.index.json`. */
export function loadQwenReference(folder: string, file = "model.safetensors"): QwenNetwork {
  const config = readJson(join(folder, "config.json")) as QwenNetworkConfig;
  if (hasFile(join(folder, file))) return { config, weights: readFixture(join(folder, file)) };
  const index = readJson(join(folder, "model.safetensors.index.json")) as {
    readonly weight_map: Readonly<Record<string, string>>;
  };
  const shards = [...new Set(Object.values(index.weight_map))];
  const weights = new Map(shards.flatMap((shard) => [...readFixture(join(folder, shard))]));
  return { config, weights };
}

/** What {@linkcode forwardBlocks} may be told. */
export interface BlockPass {
  readonly tokens: readonly number[];
  readonly blockSize: number;
  /** What the blocks before these left behind; the first of these begins at their end. */
  readonly past?: KeyValues;
  /**
   * Receives every intermediate value, named as in the fixtures, those inside layer i with `layer{i}.`
   * before them.
   */
  readonly record?: Map<string, Float64Array>;
}

/**
 * One block-causal pass: blocks see themselves and all blocks before them.
 *
 * Source: `qwen-block-diffusion.md`, sections 2 and 3.
 */
export function forwardBlocks(network: QwenNetwork, pass: BlockPass): PassResult {
  const { config, weights } = network;
  const { num_hidden_layers: layers, rms_norm_eps: epsilon, tie_word_embeddings: isTied } = config;
  const embedding = floatsOf(weights, "model.embed_tokens.weight");
  let x = embed(pass.tokens, embedding, config.hidden_size);
  pass.record?.set("hidden.0", x);
  const keys: Float64Array[] = [];
  const values: Float64Array[] = [];
  for (let i = 0; i < layers; i++) {
    const layer = runLayer(network, pass, { x, index: i });
    keys.push(layer.k);
    values.push(layer.v);
    x = layer.x;
    pass.record?.set(`hidden.${i + 1}`, x);
  }
  const final = rmsNorm(x, { gain: floatsOf(weights, "model.norm.weight"), epsilon });
  pass.record?.set("hidden.final", final);
  const head = isTied ? embedding : floatsOf(weights, "lm_head.weight");
  return { logits: linear(final, head, { width: config.hidden_size }), keys, values };
}

/** Keys and values of blocks in order. */
export function joinBlocks(blocks: readonly KeyValues[]): KeyValues {
  const layers = blocks[0]?.keys.map((_, layer) => layer) ?? [];
  return {
    keys: layers.map((layer) => concatenate(blocks.map(({ keys }) => keys[layer]))),
    values: layers.map((layer) => concatenate(blocks.map(({ values }) => values[layer]))),
  };
}

function runLayer(
  { config, weights }: QwenNetwork,
  pass: BlockPass,
  { x, index }: { x: Float64Array; index: number },
): { x: Float64Array; k: Float64Array; v: Float64Array } {
  const { hidden_size: width, rms_norm_eps: epsilon } = config;
  const keep = (name: string, value: Float64Array): Float64Array => {
    pass.record?.set(`layer${index}.${name}`, value);
    return value;
  };
  const tensor = (name: string) => floatsOf(weights, `model.layers.${index}.${name}`);
  const norm = (rows: Float64Array, name: string) => rmsNorm(rows, { gain: tensor(name), epsilon });
  const project = (rows: Float64Array, name: string, inputs: number) => {
    const bias = weights.has(`model.layers.${index}.${name}.bias`) && tensor(`${name}.bias`);
    return linear(rows, tensor(`${name}.weight`), { width: inputs, ...(bias && { bias }) });
  };
  const h = keep("input_norm", norm(x, "input_layernorm.weight"));
  const heads = attentionOf(config, pass, {
    index,
    q: keep("q", project(h, "self_attn.q_proj", width)),
    k: keep("k", project(h, "self_attn.k_proj", width)),
    v: keep("v", project(h, "self_attn.v_proj", width)),
    norm: (part, rows) =>
      weights.has(`model.layers.${index}.self_attn.${part}_norm.weight`)
        ? keep(`${part}_normed`, norm(rows, `self_attn.${part}_norm.weight`))
        : rows,
    keep,
  });
  const out = keep("attn_out", project(heads.a, "self_attn.o_proj", heads.width));
  const middle = keep("after_attention", addGated(x, out));
  const z = keep("post_norm", norm(middle, "post_attention_layernorm.weight"));
  const gate = keep("gate", project(z, "mlp.gate_proj", width));
  const up = keep("up", project(z, "mlp.up_proj", width));
  const act = keep("mlp_act", silu(gate).map((each, i) => each * up[i]!));
  const down = keep("mlp_out", project(act, "mlp.down_proj", act.length / pass.tokens.length));
  return { x: addGated(middle, down), k: heads.k, v: heads.v };
}

/** Norm of heads, rotation and attention of one layer. */
function attentionOf(
  config: QwenNetworkConfig,
  { tokens, blockSize, past }: BlockPass,
  { index, q, k, v, norm, keep }: {
    index: number;
    q: Float64Array;
    k: Float64Array;
    v: Float64Array;
    norm: (part: "q" | "k", rows: Float64Array) => Float64Array;
    keep: (name: string, value: Float64Array) => Float64Array;
  },
): { a: Float64Array; k: Float64Array; v: Float64Array; width: number } {
  const { num_attention_heads: heads, num_key_value_heads: shared, hidden_size: size } = config;
  const headSize = config.head_dim ?? size / heads;
  const before = (past?.keys[index]?.length ?? 0) / (shared * headSize);
  const positions = tokens.map((_, i) => before + i);
  const tables = rotaryTables(positions, { headSize, base: config.rope_theta });
  const rotated = keep("q_rotated", applyRotary(norm("q", q), { ...tables, headSize }));
  const rotatedK = keep("k_rotated", applyRotary(norm("k", k), { ...tables, headSize }));
  const repeat = (rows: Float64Array) =>
    repeatHeads(rows, { headSize, shared, group: heads / shared });
  const a = attention({
    q: rotated,
    k: repeat(concatenate([past?.keys[index], rotatedK])),
    v: repeat(concatenate([past?.values[index], v])),
    heads,
    headSize,
    visible: (query, key) => blockCausal(before + query, key, { blockSize }),
  });
  return { a: keep("attention", a), k: rotatedK, v, width: heads * headSize };
}

/** Every key/value head as often as query heads share it: query head j has ⌊j / group⌋. */
function repeatHeads(
  rows: Float64Array,
  { headSize, shared, group }: { headSize: number; shared: number; group: number },
): Float64Array {
  const width = shared * group * headSize;
  return Float64Array.from({ length: rows.length * group }, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    const head = Math.floor(Math.floor(column / headSize) / group);
    return rows[(row * shared + head) * headSize + column % headSize]!;
  });
}
