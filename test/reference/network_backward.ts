/** The training loss of the reference network and its derivatives by all weights. */
import { floatsOf } from "../support/fixtures.ts";
import {
  addGatedBackward,
  applyRotaryBackward,
  attentionBackward,
  crossEntropy,
  embedBackward,
  geluTanhBackward,
  layerNormBackward,
  linearBackward,
  modulateBackward,
  siluBackward,
} from "./backward.ts";
import {
  layerNorm,
  linear,
  type Numbers,
  rotaryTables,
  silu,
  timestepEmbedding,
} from "./forward.ts";
import { twoStream } from "./masks.ts";
import { forwardTwoStream, type Network } from "./network.ts";

/** One sequence of a batch. */
export interface NoisySequence {
  readonly x0: readonly number[];
  readonly xt: readonly number[];
  readonly sigma: number;
  /** What −ln p(x_0) at a position counts in the loss; 0 where x_t is clean. */
  readonly weights: readonly number[];
}

/** Derivatives by the weights, by name. */
export type Gradients = Map<string, Float64Array>;

/** The loss of a batch: the sum of all its positions'. */
export function batchLoss(
  network: Network,
  batch: readonly NoisySequence[],
  blockSize = network.config.block_size,
): number {
  const losses = batch.map((sequence) => {
    const logits = forwardTwoStream(network, { ...sequence, blockSize });
    return lossOf(network, sequence, logits).loss;
  });
  return losses.reduce((sum, each) => sum + each, 0);
}

/** The loss of a batch and its derivatives by all weights of the network. */
export function batchGradients(
  network: Network,
  batch: readonly NoisySequence[],
  blockSize = network.config.block_size,
): { loss: number; gradients: Gradients } {
  const gradients: Gradients = new Map();
  let total = 0;
  for (const sequence of batch) {
    const record = new Map<string, Float64Array>();
    const logits = forwardTwoStream(network, { ...sequence, blockSize, record });
    const { loss, logits: dLogits } = lossOf(network, sequence, logits);
    total += loss;
    new Backward(network, { record, gradients, sequence, blockSize }).run(dLogits);
  }
  return { loss: total, gradients };
}

function lossOf({ config }: Network, sequence: NoisySequence, logits: Numbers) {
  const { x0: tokens, weights } = sequence;
  return crossEntropy(logits, { tokens, weights, mask: config.vocab_size - 1 });
}

/** One sequence's way back through the network. */
class Backward {
  readonly #network: Network;
  readonly #width: number;
  readonly #record: Map<string, Float64Array>;
  readonly #gradients: Gradients;
  readonly #sequence: NoisySequence;
  readonly #blockSize: number;

  constructor(
    network: Network,
    parts: {
      record: Map<string, Float64Array>;
      gradients: Gradients;
      sequence: NoisySequence;
      blockSize: number;
    },
  ) {
    this.#network = network;
    this.#width = network.config.hidden_dim;
    this.#record = parts.record;
    this.#gradients = parts.gradients;
    this.#sequence = parts.sequence;
    this.#blockSize = parts.blockSize;
  }

  run(dLogits: Float64Array): void {
    const { n_blocks: layers, vocab_size: vocabulary } = this.#network.config;
    const rows = 2 * this.#sequence.x0.length;
    // Only the noisy half has logits.
    const all = new Float64Array(rows * vocabulary);
    all.set(dLogits);
    const dCondition = new Float64Array(this.#network.config.cond_dim);
    let dx = this.#head(all, dCondition);
    for (let i = layers - 1; i >= 0; i--) dx = this.#layer(dx, i, dCondition);
    const tokens = [...this.#sequence.xt, ...this.#sequence.x0];
    const table = embedBackward(dx, tokens, { vocabulary, width: this.#width });
    this.#add("backbone.vocab_embed.embedding", table);
    if (this.#network.config.adaln !== false) this.#conditioning(dCondition);
  }

  #head(dLogits: Float64Array, dCondition: Float64Array): Float64Array {
    const name = "backbone.output_layer";
    const x = this.#value(`hidden.${this.#network.config.n_blocks}`);
    const [shift, scale] = this.#parts("final_modulation");
    const gain = this.#weight(`${name}.norm_final.weight`);
    const inputs = modulated(x, { width: this.#width, gain, scale, shift });
    const dh = this.#linear(dLogits, inputs, { name: `${name}.linear`, hasBias: true });
    const back = this.#norm(dh, x, { name: `${name}.norm_final.weight`, scale });
    this.#modulation(name, [back.shift, back.scale], dCondition);
    return back.x;
  }

  #layer(dy: Float64Array, index: number, dCondition: Float64Array): Float64Array {
    const name = `backbone.blocks.${index}`;
    const value = (each: string) => this.#value(`layer${index}.${each}`);
    const [, scale, gate, , mlpScale, mlpGate] = this.#parts(`layer${index}.modulation`);

    const mlp = addGatedBackward(dy, value("mlp_out"), mlpGate);
    const dInner = this.#linear(mlp.update, value("mlp_gelu"), {
      name: `${name}.mlp.2`,
      hasBias: true,
    });
    const dPre = geluTanhBackward(dInner, value("mlp_pre_gelu"));
    const dh2 = this.#linear(dPre, value("norm2_modulated"), {
      name: `${name}.mlp.0`,
      hasBias: true,
    });
    const middle = value("after_attention");
    const norm2 = this.#norm(dh2, middle, { name: `${name}.norm2.weight`, scale: mlpScale });
    const dMiddle = norm2.x.map((each, i) => each + dy[i]!);

    const attention = addGatedBackward(dMiddle, value("attn_out"), gate);
    const dMixed = this.#linear(attention.update, value("attention"), { name: `${name}.attn_out` });
    const dQkv = this.#attention(dMixed, index);
    const dh1 = this.#linear(dQkv, value("norm1_modulated"), { name: `${name}.attn_qkv` });
    const norm1 = this.#norm(dh1, value("input"), { name: `${name}.norm1.weight`, scale });
    const parts = [norm1.shift, norm1.scale, attention.gate, norm2.shift, norm2.scale, mlp.gate];
    this.#modulation(name, parts, dCondition);
    return norm1.x.map((each, i) => each + dMiddle[i]!);
  }

  #attention(dMixed: Float64Array, index: number): Float64Array {
    const { n_heads: heads } = this.#network.config;
    const length = this.#sequence.x0.length;
    const headSize = this.#width / heads;
    const value = (each: string) => this.#value(`layer${index}.${each}`);
    const back = attentionBackward(dMixed, {
      ...{ q: value("q_rotated"), k: value("k_rotated"), v: value("v"), heads, headSize },
      visible: (query, key) => twoStream(query, key, { length, blockSize: this.#blockSize }),
    });
    const positions = Array.from({ length: 2 * length }, (_, i) => i % length);
    const tables = { ...rotaryTables(positions, { headSize }), headSize };
    const parts = [
      applyRotaryBackward(back.q, tables),
      applyRotaryBackward(back.k, tables),
      back.v,
    ];
    const width = this.#width;
    return Float64Array.from({ length: 3 * back.v.length }, (_, i) => {
      const column = i % (3 * width);
      const row = Math.floor(i / (3 * width));
      return parts[Math.floor(column / width)]![row * width + column % width]!;
    });
  }

  /** Back through norm, gain, scale and shift. */
  #norm(
    dh: Float64Array,
    x: Float64Array,
    { name, scale }: { name: string; scale: Float64Array | undefined },
  ) {
    const width = this.#width;
    const own = this.#weight(name);
    const normalized = layerNorm(x, { width });
    const gain = Float64Array.from(own, (each, i) => each * (1 + (scale?.[i] ?? 0)));
    const back = modulateBackward(dh, normalized, gain);
    this.#add(name, back.gain.map((each, i) => each * (1 + (scale?.[i] ?? 0))));
    return {
      x: layerNormBackward(back.x, x, { width }),
      scale: back.gain.map((each, i) => each * own[i]!),
      shift: back.shift,
    };
  }

  #linear(
    dy: Float64Array,
    x: Float64Array,
    { name, hasBias = false }: { name: string; hasBias?: boolean },
  ): Float64Array {
    const weight = this.#weight(`${name}.weight`);
    const [, width] = this.#network.weights.get(`${name}.weight`)!.shape;
    const back = linearBackward(dy, x, { weight, width: width! }); // Matrices all.
    this.#add(`${name}.weight`, back.weight);
    if (hasBias) this.#add(`${name}.bias`, back.bias);
    return back.x;
  }

  /** Back through the projection of the conditioning to shifts, scales and gates. */
  #modulation(
    name: string,
    parts: readonly Float64Array[],
    dCondition: Float64Array,
  ): void {
    if (this.#network.config.adaln === false) return;
    const dy = Float64Array.from(parts.flatMap((part) => [...part]));
    const options = { name: `${name}.adaLN_modulation`, hasBias: true };
    this.#linear(dy, this.#value("cond"), options).forEach((d, i) => dCondition[i]! += d);
  }

  #conditioning(dCondition: Float64Array): void {
    const { time_conditioning: takesTime } = this.#network.config;
    const name = "backbone.sigma_map.mlp";
    const features = timestepEmbedding(takesTime ? this.#sequence.sigma : 0);
    const project = (x: Float64Array, part: number) =>
      linear(x, this.#weight(`${name}.${part}.weight`), {
        width: x.length,
        bias: this.#weight(`${name}.${part}.bias`),
      });
    const inner = project(features, 0);
    const hidden = silu(inner);
    const dOuter = siluBackward(dCondition, project(hidden, 2));
    const dHidden = this.#linear(dOuter, hidden, { name: `${name}.2`, hasBias: true });
    this.#linear(siluBackward(dHidden, inner), features, { name: `${name}.0`, hasBias: true });
  }

  /** Shifts, scales and gates of a modulation; none without adaptive layer norm. */
  #parts(name: string): (Float64Array | undefined)[] {
    const all = this.#record.get(name);
    if (!all) return [];
    const width = this.#width;
    const count = all.length / width;
    return Array.from({ length: count }, (_, i) => all.slice(i * width, (i + 1) * width));
  }

  #value(name: string): Float64Array {
    return this.#record.get(name)!; // forward() names what it records.
  }

  #weight(name: string): Numbers {
    return floatsOf(this.#network.weights, name);
  }

  #add(name: string, derivative: Float64Array): void {
    const sum = this.#gradients.get(name);
    if (sum) derivative.forEach((each, i) => sum[i]! += each);
    else this.#gradients.set(name, derivative);
  }
}

function modulated(
  x: Float64Array,
  { width, gain, scale, shift }: {
    width: number;
    gain: Numbers;
    scale: Float64Array | undefined;
    shift: Float64Array | undefined;
  },
): Float64Array {
  return layerNorm(x, { width }).map((each, i) => {
    const c = i % width;
    return each * gain[c]! * (1 + (scale?.[c] ?? 0)) + (shift?.[c] ?? 0);
  });
}
