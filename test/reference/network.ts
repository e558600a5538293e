/** BD3-LM in plain loops and float64, read from a checkpoint folder: to read and to trust. */
import { join } from "@std/path";
import { type Fixture, floatsOf, readFixture, readJson } from "../support/fixtures.ts";
import { embed, linear, silu, timestepEmbedding } from "./forward.ts";
import { concatenate, runHead, runLayer } from "./layer.ts";
import { blockBand, blockCausal, twoStream } from "./masks.ts";

/** The fields of a bd3lm `config.json` that the network depends on. */
export interface NetworkConfig {
  readonly vocab_size: number;
  readonly model_length: number;
  readonly block_size: number;
  readonly hidden_dim: number;
  readonly n_blocks: number;
  readonly n_heads: number;
  readonly cond_dim: number;
  readonly time_conditioning: boolean;
  /** Absent means true. */
  readonly adaln?: boolean;
}

/** A checkpoint: its config and its tensors by their official names. */
export interface Network {
  readonly config: NetworkConfig;
  readonly weights: Fixture;
}

/** Keys (rotated) and values of some rows: per layer [rows, width]. */
export interface KeyValues {
  readonly keys: readonly Float64Array[];
  readonly values: readonly Float64Array[];
}

/** One pass of the network. */
export interface Pass {
  /** [rows] ids. */
  readonly tokens: ArrayLike<number>;
  /** [rows] rotary positions. */
  readonly positions: ArrayLike<number>;
  /** Whether a row sees another; rows count through `past` first, then on through `tokens`. */
  readonly visible: (query: number, key: number) => boolean;
  /** Noise level shared by all rows; not looked at without time conditioning. */
  readonly sigma: number;
  /** What earlier passes computed for the rows before these. */
  readonly past?: KeyValues;
  /** Takes a copy of every intermediate value, see {@linkcode forward}. */
  readonly record?: Map<string, Float64Array>;
}

/** What a pass gives: logits [rows, vocabulary], and its own rows' keys and values. */
export interface PassResult extends KeyValues {
  readonly logits: Float64Array;
}

/** The checkpoint in `folder`: `config.json` and the tensors of `file`. */
export function loadNetwork(folder: string, file = "model.safetensors"): Network {
  // A config of another shape shows as missing tensors.
  const config = readJson(join(folder, "config.json")) as NetworkConfig;
  return { config, weights: readFixture(join(folder, file)) };
}

/**
 * Runs the network on the rows of one pass.
 *
 * `record` receives, named as in the fixtures: `cond`, `final_modulation`, `hidden.k` (`hidden.0`
 * the embeddings, `hidden.k` the output of layer k − 1), and for layer i `layer{i}.` before each of
 * `modulation`, `input`, `norm1`, `norm1_modulated`, `qkv`, `q_rotated`, `k_rotated`, `v`,
 * `attention`, `attn_out`, `after_attention`, `norm2_modulated`, `mlp_pre_gelu`, `mlp_gelu`,
 * `mlp_out`, `output`. Rows are rows of the pass.
 *
 * Source: Arriola et al. 2025, official code, `DITBackbone.forward`.
 */
export function forward(network: Network, pass: Pass): PassResult {
  const { config, weights } = network;
  const record = (name: string, value: Float64Array) => void pass.record?.set(name, value);
  const condition = conditioning(network, pass.sigma);
  if (condition) record("cond", condition);
  const keys: Float64Array[] = [];
  const values: Float64Array[] = [];
  let x = embed(
    pass.tokens,
    floatsOf(weights, "backbone.vocab_embed.embedding"),
    config.hidden_dim,
  );
  record("hidden.0", x);
  for (let i = 0; i < config.n_blocks; i++) {
    const layer = runLayer(x, {
      network,
      pass,
      condition,
      index: i,
      record: (name, value) => record(`layer${i}.${name}`, value),
    });
    keys.push(layer.key);
    values.push(layer.value);
    x = layer.output;
    record(`hidden.${i + 1}`, x);
  }
  return { logits: runHead(x, { network, condition, record }), keys, values };
}

/** c = silu(W2 silu(W0 e(sigma) + b0) + b2), or null without adaptive layer norm. */
function conditioning({ config, weights }: Network, sigma: number): Float64Array | null {
  if (config.adaln === false) return null;
  const name = "backbone.sigma_map.mlp";
  const features = timestepEmbedding(config.time_conditioning ? sigma : 0);
  const hidden = silu(linear(features, floatsOf(weights, `${name}.0.weight`), {
    width: features.length,
    bias: floatsOf(weights, `${name}.0.bias`),
  }));
  return silu(linear(hidden, floatsOf(weights, `${name}.2.weight`), {
    width: config.cond_dim,
    bias: floatsOf(weights, `${name}.2.bias`),
  }));
}

/** The keys and values of all `blocks`, in order; none for no blocks. */
export function joinKeyValues(blocks: readonly KeyValues[]): KeyValues {
  const layers = blocks[0]?.keys.map((_, layer) => layer) ?? [];
  return {
    keys: layers.map((layer) => concatenate(blocks.map((block) => block.keys[layer]))),
    values: layers.map((layer) => concatenate(blocks.map((block) => block.values[layer]))),
  };
}

/** What {@linkcode forwardTwoStream} and {@linkcode forwardBlockCausal} may be told. */
export interface SequenceOptions {
  readonly sigma: number;
  /** The model's where not given. */
  readonly blockSize?: number;
  readonly record?: Map<string, Float64Array>;
}

/**
 * The training pass on [x_t, x_0]: logits [n, vocabulary] of the noisy half. A record holds the
 * rows of both halves.
 */
export function forwardTwoStream(
  network: Network,
  { xt, x0, sigma, blockSize = network.config.block_size, record }:
    & SequenceOptions
    & { xt: readonly number[]; x0: readonly number[] },
): Float64Array {
  const length = xt.length;
  const positions = [...xt.keys(), ...x0.keys()];
  const { logits } = forward(network, {
    tokens: [...xt, ...x0],
    positions,
    sigma,
    visible: (query, key) => twoStream(query, key, { length, blockSize }),
    ...(record && { record }),
  });
  return logits.slice(0, length * network.config.vocab_size);
}

/**
 * One block-causal pass over a sequence that starts at position 0. With `window`, in blocks, rows
 * see no further back than a cache that slides would let them.
 */
export function forwardBlockCausal(
  network: Network,
  { tokens, sigma, window, blockSize = network.config.block_size, record }:
    & SequenceOptions
    & { tokens: readonly number[]; window?: number },
): PassResult {
  return forward(network, {
    tokens,
    positions: [...tokens.keys()],
    sigma,
    visible: (query, key) =>
      window === undefined
        ? blockCausal(query, key, { blockSize })
        : blockBand(query, key, { blockSize, window }),
    ...(record && { record }),
  });
}
