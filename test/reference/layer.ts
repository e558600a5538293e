/** A layer and the head of the reference network, in the order of the paper's formulas. */
import { floatsOf } from "../support/fixtures.ts";
import {
  addGated,
  applyRotary,
  attention,
  geluTanh,
  layerNorm,
  linear,
  modulate,
  rotaryTables,
} from "./forward.ts";
import type { Network, Pass } from "./network.ts";

/** What the parts of one pass share. */
export interface Scope {
  readonly network: Network;
  /** The conditioning c; null without adaptive layer norm. */
  readonly condition: Float64Array | null;
  /** Takes an intermediate value under the name the fixtures give it. */
  readonly record: (name: string, value: Float64Array) => void;
}

/** {@linkcode Scope} of one layer. */
export interface LayerScope extends Scope {
  readonly pass: Pass;
  readonly index: number;
}

/** The adaLN vectors around one sublayer; none without adaptive layer norm. */
interface Modulation {
  readonly shift: Float64Array | undefined;
  readonly scale: Float64Array | undefined;
}

/** One transformer layer: attention, then the MLP, each gated onto the residual stream. */
export function runLayer(
  x: Float64Array,
  scope: LayerScope,
): { key: Float64Array; value: Float64Array; output: Float64Array } {
  const { network: { config: { hidden_dim: width } }, index, record } = scope;
  const prefix = `backbone.blocks.${index}`;
  const [shift, scale, gate, mlpShift, mlpScale, mlpGate] = modulation(prefix, {
    ...scope,
    name: "modulation",
  });
  const weight = (name: string) => floatsOf(scope.network.weights, `${prefix}.${name}`);
  record("input", x);

  const norm1 = modulate(layerNorm(x, { width }), { gain: weight("norm1.weight") });
  record("norm1", norm1);
  const attended = attend(shiftAndScale(norm1, { shift, scale }), scope);
  const middle = addGated(x, attended.update, gate);
  record("after_attention", middle);

  const norm2 = modulate(layerNorm(middle, { width }), { gain: weight("norm2.weight") });
  const update = mlp(shiftAndScale(norm2, { shift: mlpShift, scale: mlpScale }), scope);
  const output = addGated(middle, update, mlpGate);
  record("output", output);
  return { key: attended.key, value: attended.value, output };
}

/** Attention of the normalised rows `x` over `pass.past` and themselves, and its projection. */
function attend(
  x: Float64Array,
  { network: { config, weights }, pass, index, record }: LayerScope,
): { key: Float64Array; value: Float64Array; update: Float64Array } {
  const width = config.hidden_dim;
  const heads = config.n_heads;
  const headSize = width / heads;
  const prefix = `backbone.blocks.${index}`;
  record("norm1_modulated", x);
  const qkv = linear(x, floatsOf(weights, `${prefix}.attn_qkv.weight`), { width });
  record("qkv", qkv);
  const tables = rotaryTables(pass.positions, { headSize });
  const q = applyRotary(third(qkv, { part: 0, width }), { ...tables, headSize });
  const key = applyRotary(third(qkv, { part: 1, width }), { ...tables, headSize });
  const value = third(qkv, { part: 2, width });
  record("q_rotated", q);
  record("k_rotated", key);
  record("v", value);

  const k = concatenate([pass.past?.keys[index], key]);
  const v = concatenate([pass.past?.values[index], value]);
  const pastRows = (k.length - key.length) / width;
  const visible = (query: number, other: number) => pass.visible(pastRows + query, other);
  const mixed = attention({ q, k, v, heads, headSize, visible });
  record("attention", mixed);
  const update = linear(mixed, floatsOf(weights, `${prefix}.attn_out.weight`), { width });
  record("attn_out", update);
  return { key, value, update };
}

/** W2 gelu(W1 x + b1) + b2 of the normalised rows `x`. */
function mlp(x: Float64Array, { network, index, record }: LayerScope): Float64Array {
  const width = network.config.hidden_dim;
  const weight = (name: string) =>
    floatsOf(network.weights, `backbone.blocks.${index}.mlp.${name}`);
  record("norm2_modulated", x);
  const inner = linear(x, weight("0.weight"), { width, bias: weight("0.bias") });
  record("mlp_pre_gelu", inner);
  const activated = geluTanh(inner);
  record("mlp_gelu", activated);
  const options = { width: 4 * width, bias: weight("2.bias") };
  const update = linear(activated, weight("2.weight"), options);
  record("mlp_out", update);
  return update;
}

/** The last norm and the projection to logits [rows, vocabulary]. */
export function runHead(x: Float64Array, scope: Scope): Float64Array {
  const { config: { hidden_dim: width }, weights } = scope.network;
  const prefix = "backbone.output_layer";
  const [shift, scale] = modulation(prefix, { ...scope, name: "final_modulation" });
  const gain = floatsOf(weights, `${prefix}.norm_final.weight`);
  const norm = modulate(layerNorm(x, { width }), { gain });
  const bias = floatsOf(weights, `${prefix}.linear.bias`);
  const weight = floatsOf(weights, `${prefix}.linear.weight`);
  return linear(shiftAndScale(norm, { shift, scale }), weight, { width, bias });
}

/** The vectors that adaLN.W c + adaLN.b consists of; none without adaptive layer norm. */
function modulation(
  prefix: string,
  { network: { config, weights }, condition, record, name }: Scope & { name: string },
): Float64Array[] {
  if (!condition) return [];
  const all = linear(condition, floatsOf(weights, `${prefix}.adaLN_modulation.weight`), {
    width: config.cond_dim,
    bias: floatsOf(weights, `${prefix}.adaLN_modulation.bias`),
  });
  record(name, all);
  const width = config.hidden_dim;
  return Array.from(
    { length: all.length / width },
    (_, part) => all.slice(part * width, (part + 1) * width),
  );
}

/** x (1 + scale) + shift; x itself where there is neither. */
function shiftAndScale(x: Float64Array, { shift, scale }: Modulation): Float64Array {
  return scale ? modulate(x, { gain: scale.map((each) => 1 + each), shift }) : x;
}

/** q, k or v (part 0, 1, 2) of every row of qkv [rows, 3 · width]. */
function third(
  qkv: Float64Array,
  { part, width }: { part: number; width: number },
): Float64Array {
  return qkv.filter((_, i) => Math.floor((i % (3 * width)) / width) === part);
}

/** The rows of all parts that are there, in order. */
export function concatenate(parts: readonly (Float64Array | undefined)[]): Float64Array {
  const present = parts.filter((part) => part !== undefined);
  const whole = new Float64Array(present.reduce((length, part) => length + part.length, 0));
  let end = 0;
  for (const part of present) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}
