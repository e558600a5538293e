import {
  attention,
  embed,
  layerNorm,
  linear,
  paddedHeadSize,
  ropeStore,
  type RotaryTables,
  rotaryTables,
} from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../gpu/mod.ts";
import { align, type Embedding, type LinearWeight } from "../weights/formats.ts";
import type { Conditioning, Modulation } from "./bd3lm_conditioning.ts";
import type { Bd3lmConfig } from "./bd3lm_config.ts";
import type { CacheShape, HeadInputs, Network, PassInputs } from "./network.ts";

// None of these stands in config.json.
// Source: kuleshov-group/bd3lms, `modeling_bd3lm.py`.
const EPSILON = 1e-5;
const ROPE_BASE = 10_000;

/** Weights of one transformer block. */
export interface Bd3lmLayer {
  /** [width] f32: gain of the norm before attention, of the one before the MLP. */
  readonly norm1: Tensor;
  readonly norm2: Tensor;
  readonly qkv: LinearWeight;
  readonly attentionOut: LinearWeight;
  readonly up: LinearWeight;
  readonly down: LinearWeight;
}

/** All weights of a {@linkcode Bd3lm}. */
export interface Bd3lmWeights {
  readonly embedding: Embedding;
  readonly layers: readonly Bd3lmLayer[];
  /** [width] f32. */
  readonly normFinal: Tensor;
  readonly output: LinearWeight;
  readonly conditioning: Conditioning;
}

/**
 * The diffusion transformer of BD3-LM.
 *
 * Source: Arriola et al. 2025, "Block Diffusion"; Peebles & Xie 2023, "Scalable diffusion models
 * with transformers"; kuleshov-group/bd3lms, `modeling_bd3lm.py`.
 */
export class Bd3lm implements Network {
  readonly config: Bd3lmConfig;
  readonly cacheShape: CacheShape;
  readonly weights: Bd3lmWeights;
  readonly #rotary: RotaryTables;
  /** Width of the hidden states, padding included. */
  readonly #width: number;

  constructor(gpu: Gpu, config: Bd3lmConfig, weights: Bd3lmWeights) {
    this.config = config;
    this.weights = weights;
    this.#width = align(config.hiddenSize);
    this.cacheShape = {
      layers: config.layers,
      heads: config.heads,
      headWidth: paddedHeadSize(config.headSize),
    };
    this.#rotary = rotaryTables(gpu, { headSize: config.headSize, base: ROPE_BASE });
  }

  forward(pass: Pass, inputs: PassInputs): Tensor {
    using modulation = this.weights.conditioning.modulate(pass, inputs);
    const { rows, counts, bound } = inputs;
    const x = embed(pass, { rows, counts, bound, embedding: this.weights.embedding });
    for (let i = 0; i < this.config.layers; i++) this.layer(pass, i, { ...inputs, x, modulation });
    return x;
  }

  /** Records one transformer block, in place on `x`: [bound, width] f32. */
  layer(
    pass: Pass,
    index: number,
    operands: PassInputs & { readonly x: Tensor; readonly modulation: Modulation },
  ): void {
    const { x, rows, counts, cache } = operands;
    const { norm1, norm2, qkv, attentionOut, up, down } = this.weights.layers[index]!;
    const modulation = operands.modulation.layers[index]!;
    const kv = cache[index]!;
    const part = (i: number) => i * this.#width;
    const norm = {
      x,
      rows,
      counts,
      modulation,
      features: this.config.hiddenSize,
      epsilon: EPSILON,
    };
    const residual = { into: x, rows, modulation };
    {
      using h = layerNorm(pass, { ...norm, gain: norm1, shift: part(0), scale: part(1) });
      using projected = linear(pass, { x: h, weight: qkv, counts });
      using q = ropeStore(pass, { qkv: projected, rows, counts, cache: kv, rotary: this.#rotary });
      const { headSize } = this.config;
      using a = attention(pass, { q, rows, counts, cache: kv, headSize });
      const epilogue = { ...residual, gate: part(2) };
      linear(pass, { x: a, weight: attentionOut, counts, epilogue });
    }
    using h = layerNorm(pass, { ...norm, gain: norm2, shift: part(3), scale: part(4) });
    using wide = linear(pass, { x: h, weight: up, counts, epilogue: "gelu" });
    linear(pass, { x: wide, weight: down, counts, epilogue: { ...residual, gate: part(5) } });
  }

  normalize(pass: Pass, hidden: Tensor, inputs: PassInputs & HeadInputs): Tensor {
    using modulation = this.weights.conditioning.modulate(pass, inputs);
    return layerNorm(pass, {
      x: hidden,
      rows: inputs.rows,
      counts: inputs.counts,
      gain: this.weights.normFinal,
      modulation: modulation.final,
      shift: 0,
      scale: this.#width,
      features: this.config.hiddenSize,
      epsilon: EPSILON,
      heads: { table: inputs.heads, bound: inputs.headBound },
    });
  }

  logits(
    pass: Pass,
    normalized: Tensor,
    part: { readonly counts: Tensor; readonly skip: number; readonly rows: number },
  ): Tensor {
    const { counts, skip, rows } = part;
    const { output } = this.weights;
    return linear(pass, {
      x: normalized,
      weight: output,
      counts,
      counted: "heads",
      part: { skip, rows },
    });
  }

  [Symbol.dispose](): void {
    const { embedding, layers, normFinal, output, conditioning } = this.weights;
    for (const layer of layers) Object.values(layer).forEach((each) => each[Symbol.dispose]());
    embedding[Symbol.dispose]();
    normFinal[Symbol.dispose]();
    output[Symbol.dispose]();
    conditioning[Symbol.dispose]();
    this.#rotary[Symbol.dispose]();
  }
}
