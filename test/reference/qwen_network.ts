/** A decoder of the shape of Qwen2.5 or Qwen3 in plain loops and float64, read from a checkpoint folder. */
import { join } from "@std/path";
import { type Fixture, floatsOf, readFixture, readJson } from "../support/fixtures.ts";
import {
  addGated,
  applyRotary,
  attention,
  embed,
  linear,
  type Numbers,
  rmsNorm,
  rotaryTables,
  silu,
} from "./forward.ts";
import { blockCausal } from "./masks.ts";

/** The fields of `config.json` that the network depends on. */
interface QwenConfigFile {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  /** Else hidden size over heads. */
  readonly head_dim?: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

/** A checkpoint: its config and its tensors by their official names. */
export interface QwenNetwork {
  readonly config: QwenConfigFile;
  readonly weights: Fixture;
}

/** The checkpoint in `folder`. */
export function loadQwen(folder: string): QwenNetwork {
  // A config of another shape shows as missing tensors.
  const config = readJson(join(folder, "config.json")) as QwenConfigFile;
  return { config, weights: readFixture(join(folder, "model.safetensors")) };
}

/**
 * Logits [rows, vocabulary] of tokens from position 0 on, each of which sees its block and the blocks
 * before it.
 *
 * Source: JetAstra/SDAR, `modeling_sdar.py`; Fast_dLLM_v2, `modeling.py`.
 */
export function qwenLogits(
  network: QwenNetwork,
  tokens: readonly number[],
  blockSize: number,
): Float64Array {
  const { config, weights } = network;
  const epsilon = config.rms_norm_eps;
  const of = (name: string) => floatsOf(weights, `model.${name}.weight`);
  const width = config.hidden_size;
  let x = embed(tokens, of("embed_tokens"), width);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `layers.${i}`;
    const h = rmsNorm(x, { gain: of(`${layer}.input_layernorm`), epsilon });
    const a = attend(network, h, { layer: `${layer}.self_attn`, blockSize });
    x = addGated(x, a);
    const g = rmsNorm(x, { gain: of(`${layer}.post_attention_layernorm`), epsilon });
    const gate = silu(linear(g, of(`${layer}.mlp.gate_proj`), { width }));
    const up = linear(g, of(`${layer}.mlp.up_proj`), { width });
    const inner = gate.map((each, at) => each * up[at]!);
    const innerWidth = inner.length / tokens.length;
    x = addGated(x, linear(inner, of(`${layer}.mlp.down_proj`), { width: innerWidth }));
  }
  const head = weights.has("lm_head.weight")
    ? floatsOf(weights, "lm_head.weight")
    : of("embed_tokens");
  return linear(rmsNorm(x, { gain: of("norm"), epsilon }), head, { width });
}

function attend(
  { config, weights }: QwenNetwork,
  h: Float64Array,
  { layer, blockSize }: { layer: string; blockSize: number },
): Float64Array {
  const { hidden_size: width, num_attention_heads: heads, num_key_value_heads: shared } = config;
  const headSize = config.head_dim ?? width / heads;
  const rows = h.length / width;
  const project = (name: string) => {
    const bias = `model.${layer}.${name}_proj.bias`;
    return linear(h, floatsOf(weights, `model.${layer}.${name}_proj.weight`), {
      width,
      bias: weights.has(bias) ? floatsOf(weights, bias) : undefined,
    });
  };
  const positions = Array.from({ length: rows }, (_, row) => row);
  const tables = rotaryTables(positions, { headSize, base: config.rope_theta });
  const turned = (name: string) => {
    const gain = `model.${layer}.${name}_norm.weight`;
    const projected = project(name);
    const normed = weights.has(gain)
      ? rmsNorm(projected, { gain: floatsOf(weights, gain), epsilon: config.rms_norm_eps })
      : projected;
    return applyRotary(normed, { ...tables, headSize });
  };
  const repeat = (x: Float64Array) => repeatHeads(x, { heads, shared, headSize });
  const attended = attention({
    q: turned("q"),
    k: repeat(turned("k")),
    v: repeat(project("v")),
    heads,
    headSize,
    visible: (query, key) => blockCausal(query, key, { blockSize }),
  });
  const output = floatsOf(weights, `model.${layer}.o_proj.weight`);
  return linear(attended, output, { width: heads * headSize });
}

/** Gives every query head its key/value head: `heads / shared` neighbours have the same one. */
function repeatHeads(
  x: Numbers,
  { heads, shared, headSize }: { heads: number; shared: number; headSize: number },
): Float64Array {
  const rows = x.length / (shared * headSize);
  return Float64Array.from({ length: rows * heads * headSize }, (_, at) => {
    const row = Math.floor(at / (heads * headSize));
    const head = Math.floor(at / headSize) % heads;
    const own = Math.floor(head / (heads / shared));
    return x[(row * shared + own) * headSize + at % headSize]!;
  });
}
