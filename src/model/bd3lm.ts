import {
  attention,
  type CacheFormat,
  embed,
  layerNorm,
  linear,
  paddedHeadSize,
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

/** What a transformer block works on. */
interface LayerOperands extends PassInputs {
  /** [bound, width] f32. */
  readonly x: Tensor;
  readonly modulation: Modulation;
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

  constructor(
    gpu: Gpu,
    config: Bd3lmConfig,
    { weights, cacheFormat }: { weights: Bd3lmWeights; cacheFormat: CacheFormat },
  ) {
    this.config = config;
    this.weights = weights;
    this.#width = align(config.hiddenSize);
    this.cacheShape = {
      layers: config.layers,
      heads: config.heads,
      headWidth: paddedHeadSize(config.headSize),
      format: cacheFormat,
    };
    this.#rotary = rotaryTables(gpu, { headSize: config.headSize, base: ROPE_BASE });
  }

  forward(pass: Pass, inputs: PassInputs & HeadInputs): Tensor | null {
    using modulation = this.weights.conditioning.modulate(pass, inputs);
    using x = embed(pass, { ...inputs, embedding: this.weights.embedding });
    const last = this.config.layers - 1;
    for (let i = 0; i < last; i++) this.layer(pass, i, { ...inputs, x, modulation });
    // Rows without a head leave their keys and values in the last layer, and nothing else.
    using hidden = this.lastLayer(pass, { ...inputs, x, modulation });
    if (!hidden) return null;
    return layerNorm(pass, {
      ...this.#norm(hidden, inputs),
      gain: this.weights.normFinal,
      modulation: modulation.final,
      shift: 0,
      scale: this.#width,
      heads: inputs.heads,
    });
  }

  /** Records one transformer block, in place on `x`: [bound, width] f32. */
  layer(pass: Pass, index: number, operands: LayerOperands): void {
    const { x, rows, counts } = operands;
    const { attentionOut } = this.weights.layers[index]!;
    const modulation = operands.modulation.layers[index]!;
    {
      using q = this.#project(pass, index, operands);
      using a = this.#attend(pass, index, { ...operands, q });
      const residual = { type: "gated", into: x, rows, modulation, gate: 2 * this.#width } as const;
      linear(pass, { x: a, weight: attentionOut, counts, epilogue: residual });
    }
    this.#perceptron(pass, index, operands);
  }

  /**
   * Records the last transformer block: keys and values of all rows, the rest for the heads' rows.
   *
   * @returns [headBound, width] f32, scratch of `pass`; `null` where there are no heads.
   */
  lastLayer(pass: Pass, operands: LayerOperands & HeadInputs): Tensor | null {
    const { x, rows, counts, heads, headBound } = operands;
    const index = this.config.layers - 1;
    const modulation = operands.modulation.layers[index]!;
    using q = this.#project(pass, index, operands);
    if (headBound === 0) return null;
    using a = this.#attend(pass, index, {
      ...operands,
      q,
      only: { table: heads, bound: headBound },
    });
    const hidden = linear(pass, {
      x: a,
      weight: this.weights.layers[index]!.attentionOut,
      counts,
      counted: "heads",
      epilogue: {
        type: "gated",
        ...{ into: x, rows, modulation, gate: 2 * this.#width },
        heads: { table: heads, isGathered: false },
      },
    });
    this.#perceptron(pass, index, { ...operands, x: hidden, of: heads });
    return hidden;
  }

  /** Norm, projection, rotation; keys and values go to the cache. Gives q. */
  #project(pass: Pass, index: number, operands: LayerOperands): Tensor {
    const { rows, counts, cache } = operands;
    const { norm1, qkv } = this.weights.layers[index]!;
    using h = layerNorm(pass, {
      ...this.#norm(operands.x, operands),
      gain: norm1,
      modulation: operands.modulation.layers[index]!,
      shift: 0,
      scale: this.#width,
    });
    const epilogue = {
      type: "rope_store",
      rows,
      cache: cache[index]!,
      rotary: this.#rotary,
    } as const;
    return linear(pass, { x: h, weight: qkv, counts, epilogue });
  }

  #attend(
    pass: Pass,
    index: number,
    { q, rows, counts, bound, together, cache, only }: PassInputs & {
      readonly q: Tensor;
      /** The heads whose rows attend; all rows where left out. */
      readonly only?: { readonly table: Tensor; readonly bound: number };
    },
  ): Tensor {
    const { headSize } = this.config;
    return attention(pass, {
      ...{ q, rows, counts, cache: cache[index]!, headSize },
      // Rows with a head may be any of them.
      together: only && only.bound < bound ? 1 : together,
      ...(only && { heads: only }),
    });
  }

  /** The second half of a block, in place on `x`, whose rows may be those `of` heads. */
  #perceptron(pass: Pass, index: number, operands: LayerOperands & { readonly of?: Tensor }): void {
    const { x, rows, counts, of: heads } = operands;
    const { norm2, up, down } = this.weights.layers[index]!;
    const modulation = operands.modulation.layers[index]!;
    const counted = heads ? "heads" : "rows";
    using h = layerNorm(pass, {
      ...this.#norm(x, operands),
      gain: norm2,
      modulation,
      shift: 3 * this.#width,
      scale: 4 * this.#width,
      ...(heads && { heads }),
    });
    using wide = linear(pass, { x: h, weight: up, counts, counted, epilogue: "gelu" });
    const residual = {
      type: "gated",
      ...{ into: x, rows, modulation, gate: 5 * this.#width },
      ...(heads && { heads: { table: heads, isGathered: true } }),
    } as const;
    linear(pass, { x: wide, weight: down, counts, counted, epilogue: residual });
  }

  #norm(x: Tensor, { rows, counts }: PassInputs) {
    return { x, rows, counts, features: this.config.hiddenSize, epsilon: EPSILON };
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
