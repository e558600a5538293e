import {
  attention,
  type CacheFormat,
  embed,
  linear,
  paddedHeadSize,
  qkNorm,
  rmsNorm,
  type RotaryTables,
  rotaryTables,
} from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../gpu/mod.ts";
import type { Embedding, LinearWeight } from "../weights/formats.ts";
import type { CacheShape, HeadInputs, Network, PassInputs } from "./network.ts";
import type { QwenConfig } from "./qwen_config.ts";

/** Weights of one layer. */
export interface QwenLayer {
  /** [width] f32: gain of the norm before attention, of the one before the perceptron. */
  readonly inputNorm: Tensor;
  readonly postNorm: Tensor;
  /** q, k and v, head by head. */
  readonly qkv: LinearWeight;
  /** [2 · head] f32: gain of the norm of q's heads, of k's; `null` where heads have no norm. */
  readonly qkNorm: Tensor | null;
  readonly attentionOut: LinearWeight;
  /** Row by row in turn: gate, and what it lets through. */
  readonly gateUp: LinearWeight;
  readonly down: LinearWeight;
}

/** All weights of a {@linkcode QwenDecoder}. */
export interface QwenWeights {
  readonly embedding: Embedding;
  readonly layers: readonly QwenLayer[];
  /** [width] f32. */
  readonly normFinal: Tensor;
  readonly output: LinearWeight;
}

/** What a layer works on. */
interface LayerOperands extends PassInputs {
  /** [bound, width] f32. */
  readonly x: Tensor;
}

/** The heads of a pass, where only their rows go on. */
interface OnlyHeads {
  readonly table: Tensor;
  readonly bound: number;
}

/**
 * A decoder of the shape of Qwen2.5 or Qwen3, which sees blocks as its rows say.
 *
 * Source: Yang et al. 2025, "Qwen3 technical report"; JetAstra/SDAR, `modeling_sdar.py`;
 * Fast_dLLM_v2, `modeling.py`.
 */
export class QwenDecoder implements Network {
  readonly config: QwenConfig;
  readonly cacheShape: CacheShape;
  readonly weights: QwenWeights;
  readonly #rotary: RotaryTables;

  constructor(
    gpu: Gpu,
    config: QwenConfig,
    { weights, cacheFormat }: { weights: QwenWeights; cacheFormat: CacheFormat },
  ) {
    this.config = config;
    this.weights = weights;
    this.cacheShape = {
      layers: config.layers,
      heads: config.sharedHeads,
      headWidth: paddedHeadSize(config.headSize),
      format: cacheFormat,
    };
    this.#rotary = rotaryTables(gpu, { headSize: config.headSize, base: config.ropeBase });
  }

  forward(pass: Pass, inputs: PassInputs & HeadInputs): Tensor | null {
    const { counts, heads, headBound } = inputs;
    using x = embed(pass, { ...inputs, embedding: this.weights.embedding });
    const last = this.config.layers - 1;
    for (let i = 0; i < last; i++) this.layer(pass, i, { ...inputs, x });
    // Rows without a head leave their keys and values in the last layer, and nothing else.
    using hidden = this.lastLayer(pass, { ...inputs, x }, { table: heads, bound: headBound });
    if (!hidden) return null;
    return this.#norm(pass, hidden, { counts, counted: "heads", gain: this.weights.normFinal });
  }

  /** Records one layer, in place on `x`. */
  layer(pass: Pass, index: number, operands: LayerOperands): void {
    const { x, rows, counts } = operands;
    const { attentionOut } = this.weights.layers[index]!;
    {
      using q = this.#project(pass, index, operands);
      using a = this.#attend(pass, index, { ...operands, q });
      const epilogue = { type: "residual", into: x, rows } as const;
      linear(pass, { x: a, weight: attentionOut, counts, epilogue });
    }
    this.#perceptron(pass, index, operands);
  }

  /**
   * Records the last layer: keys and values of all rows, the rest for the heads' rows.
   *
   * @returns [only.bound, width] f32, scratch of `pass`; `null` where there are no heads.
   */
  lastLayer(pass: Pass, operands: LayerOperands, only: OnlyHeads): Tensor | null {
    const { x, rows, counts } = operands;
    const index = this.config.layers - 1;
    const { attentionOut } = this.weights.layers[index]!;
    using q = this.#project(pass, index, operands);
    if (only.bound === 0) return null;
    using a = this.#attend(pass, index, { ...operands, q, only });
    const heads = { table: only.table, isGathered: false };
    const epilogue = { type: "residual", into: x, rows, heads } as const;
    const counted = "heads";
    const hidden = linear(pass, { x: a, weight: attentionOut, counts, counted, epilogue });
    this.#perceptron(pass, index, { ...operands, x: hidden, only });
    return hidden;
  }

  /** Norm, projection, norm of heads, rotation; keys and values go to the cache. Gives q. */
  #project(pass: Pass, index: number, { x, rows, counts, cache }: LayerOperands): Tensor {
    const { inputNorm, qkv, qkNorm: gain } = this.weights.layers[index]!;
    const { headSize, epsilon } = this.config;
    const store = { rows, cache: cache[index]!, rotary: this.#rotary };
    using h = this.#norm(pass, x, { counts, gain: inputNorm });
    if (gain === null) {
      const epilogue = { type: "rope_store", ...store } as const;
      return linear(pass, { x: h, weight: qkv, counts, epilogue });
    }
    using projected = linear(pass, { x: h, weight: qkv, counts });
    return qkNorm(pass, { ...store, x: projected, counts, gain, headSize, epsilon });
  }

  #attend(
    pass: Pass,
    index: number,
    { q, rows, counts, bound, together, cache, only }: PassInputs & {
      readonly q: Tensor;
      readonly only?: OnlyHeads;
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

  /** The second half of a layer, in place on `x`, whose rows may be those of heads only. */
  #perceptron(
    pass: Pass,
    index: number,
    { x, rows, counts, only }: LayerOperands & { readonly only?: OnlyHeads },
  ): void {
    const { postNorm, gateUp, down } = this.weights.layers[index]!;
    const counted = only ? "heads" : "rows";
    using h = this.#norm(pass, x, { counts, counted, gain: postNorm });
    using inner = linear(pass, { x: h, weight: gateUp, counts, counted, epilogue: "swiglu" });
    const epilogue = {
      type: "residual",
      ...{ into: x, rows },
      ...(only && { heads: { table: only.table, isGathered: true } }),
    } as const;
    linear(pass, { x: inner, weight: down, counts, counted, epilogue });
  }

  #norm(
    pass: Pass,
    x: Tensor,
    operands: {
      readonly counts: Tensor;
      readonly counted?: "rows" | "heads";
      readonly gain: Tensor;
    },
  ): Tensor {
    const { hiddenSize: features, epsilon } = this.config;
    return rmsNorm(pass, { x, ...operands, features, epsilon });
  }

  logits(
    pass: Pass,
    normalized: Tensor,
    { counts, skip, rows }: {
      readonly counts: Tensor;
      readonly skip: number;
      readonly rows: number;
    },
  ): Tensor {
    return linear(pass, {
      x: normalized,
      weight: this.weights.output,
      counts,
      counted: "heads",
      part: { skip, rows },
    });
  }

  [Symbol.dispose](): void {
    const { embedding, layers, normFinal, output } = this.weights;
    for (const layer of layers) Object.values(layer).forEach((each) => each?.[Symbol.dispose]());
    embedding[Symbol.dispose]();
    normFinal[Symbol.dispose]();
    output[Symbol.dispose]();
    this.#rotary[Symbol.dispose]();
  }
}
