import {
  addBiasGradient,
  addWeightGradient,
  type Conditions,
  crossEntropy,
  type Dropout,
  embed,
  embedBackward,
  fillZero,
  layerNorm,
  layerNormBackward,
  type Normalized,
  project,
  projectBackward,
  rotaryAngles,
  type Segments,
} from "../../kernels/training/mod.ts";
import type { Gpu, Pass, Tensor } from "../gpu/mod.ts";
import type { Bd3lmConfig } from "../model/bd3lm_config.ts";
import { type Batch, paddedRows } from "./batch.ts";
import { type ConditionTape, openConditioning, type TrainedConditioning } from "./conditioner.ts";
import {
  backwardLayer,
  EPSILON,
  forwardLayer,
  type LayerParameters,
  type LayerScope,
  type LayerTape,
} from "./layer.ts";
import type { Kept, Parameter, Parameters } from "./parameters.ts";

// Source: kuleshov-group/bd3lms, `modeling_bd3lm.py`.
const ROPE_BASE = 10_000;

/** Rows of logits that exist at once, at most; fewer where a row is very long. */
const CHUNK_ROWS = 512;
const CHUNK_BYTES = 64 << 20;
/** Rows of logits of one segment of sums. */
const SEGMENT_ROWS = 64;

/** How a pass of training goes. */
export interface PassOptions {
  /** [≥ lossFirst + heads] f32: takes the weighted losses of the heads. */
  readonly losses: Tensor;
  readonly lossFirst: number;
  /** What is dropped; nothing where `null`. */
  readonly dropout: Omit<Dropout, "site"> | null;
}

/** A pass on its way: what the layers left. */
interface Tape {
  readonly batch: Batch;
  readonly conditioning: ConditionTape;
  /** [rows, width] f32: what the layers begin with. */
  readonly x: Tensor;
  readonly layers: readonly LayerTape[];
  readonly scopes: readonly LayerScope[];
  /** [padded heads, width] f32, and what it was made with. */
  readonly head: Normalized;
}

/**
 * The diffusion transformer of BD3-LM for training: dense, in f32, every activation kept for the
 * way back. The last block goes on with the noisy halves alone, and the head with masked rows
 * alone.
 *
 * Source: Arriola et al. 2025, "Block Diffusion"; Peebles & Xie 2023; kuleshov-group/bd3lms.
 */
export class TrainingNetwork implements Disposable {
  readonly config: Bd3lmConfig;
  readonly #parameters: Parameters;
  readonly #kept: Kept;
  readonly #layers: readonly LayerParameters[];
  readonly #conditioning: TrainedConditioning;
  readonly #angles: Tensor;
  readonly #chunkSegments: Segments & { readonly starts: Tensor };
  readonly #chunkRows: number;

  /**
   * @param options `sequences`: most of them in a pass. `kept`: which weights it reads; gradients are
   * those of the trained ones.
   * @throws {TypeError} If the kernels cannot take the shape.
   */
  constructor(
    gpu: Gpu,
    config: Bd3lmConfig,
    { parameters, sequences, kept = "weight" }: {
      readonly parameters: Parameters;
      readonly sequences: number;
      readonly kept?: "weight" | "averaged";
    },
  ) {
    expectTrainable(config);
    this.config = config;
    this.#parameters = parameters;
    this.#kept = kept;
    this.#layers = Array.from({ length: config.layers }, (_, i) => layerOf(parameters, i));
    this.#conditioning = openConditioning(gpu, config, { parameters, sequences, kept });
    const { modelLength: length, headSize } = config;
    this.#angles = rotaryAngles(gpu, { length, headSize, base: ROPE_BASE });
    const columns = parameters.get("output_layer.linear.weight").weight.shape[0]!; // A matrix.
    const rows = Math.floor(CHUNK_BYTES / 4 / columns / 8) * 8;
    this.#chunkRows = Math.min(CHUNK_ROWS, Math.max(8, rows));
    const segments = Math.ceil(this.#chunkRows / SEGMENT_ROWS);
    const data = Uint32Array.from({ length: segments + 1 }, (_, i) => i * SEGMENT_ROWS);
    const starts = gpu.tensor("chunk starts", [segments + 1], { dtype: "u32", data });
    this.#chunkSegments = { starts, segments };
  }

  /** Records a pass forward and back: losses, and their derivatives added to the gradients. */
  addGradients(pass: Pass, batch: Batch, options: PassOptions): void {
    using tape = this.#forward(pass, batch, options.dropout);
    using dx = pass.scratch("dx", tape.x.shape);
    fillZero(pass, dx);
    this.#backwardHead(pass, { tape, dx, ...options });
    for (const [i, layer] of [...tape.layers.entries()].reverse()) {
      const x = tape.layers[i - 1]?.y ?? tape.x;
      backwardLayer(pass, { x, dx, tape: layer }, tape.scopes[i]!); // One for each layer.
    }
    const { gradient } = this.#parameters.get("vocab_embed.embedding");
    embedBackward(pass, { ...batch, dx, tokens: batch.differentTokens, gradient });
    tape.conditioning.backward(pass);
  }

  /** Records a pass forward: the losses alone. */
  addLosses(pass: Pass, batch: Batch, { losses, lossFirst }: Omit<PassOptions, "dropout">): void {
    using tape = this.#forward(pass, batch, null);
    for (const chunk of this.#chunks(batch)) {
      using _ = this.#logits(pass, { tape, ...chunk, losses, lossFirst });
    }
  }

  [Symbol.dispose](): void {
    this.#conditioning[Symbol.dispose]();
    this.#angles[Symbol.dispose]();
    this.#chunkSegments.starts[Symbol.dispose]();
  }

  #forward(pass: Pass, batch: Batch, dropout: PassOptions["dropout"]): Tape & Disposable {
    const conditioning = this.#conditioning.forward(pass, batch.sigma);
    const table = this.#parameters.get("vocab_embed.embedding")[this.#kept];
    const x = embed(pass, { ...batch, table });
    const scopes = this.#layers.map((_, i) => this.#scope(i, { batch, conditioning, dropout }));
    const layers: LayerTape[] = [];
    for (const scope of scopes) layers.push(forwardLayer(pass, layers.at(-1)?.y ?? x, scope));
    const head = layerNorm(pass, {
      x: layers.at(-1)!.y, // A network has layers.
      ...this.#finalNorm({ batch, conditioning }, paddedRows(batch.heads)),
      epsilon: EPSILON,
    });
    const kept = [conditioning, x, ...layers, head];
    return {
      ...{ batch, conditioning, x, layers, scopes, head },
      [Symbol.dispose]: () => kept.forEach((each) => each[Symbol.dispose]()),
    };
  }

  /** Logits, losses and their way back, chunk by chunk, down to `dx`. */
  #backwardHead(
    pass: Pass,
    { tape, dx, losses, lossFirst }: PassOptions & { tape: Tape; dx: Tensor },
  ): void {
    const { batch, head, conditioning, layers } = tape;
    const { weight, bias } = this.#output();
    using dh = pass.scratch("dh", head.h.shape);
    for (const { first, rows } of this.#chunks(batch)) {
      using dy = this.#logits(pass, { tape, first, rows, losses, lossFirst });
      addWeightGradient(pass, { dy, x: head.h, gradient: weight.gradient, rows, first });
      const sums = { rows, segments: this.#chunkSegments };
      addBiasGradient(pass, { dy, gradient: bias.gradient, ...sums });
      projectBackward(pass, { dy, weight: weight[this.#kept], rows, into: dh, first });
    }
    layerNormBackward(pass, {
      ...{ dh, x: layers.at(-1)!.y, statistics: head.statistics, dx }, // A network has layers.
      ...{ segments: batch.headSegments, dModulation: conditioning.dFinal },
      ...this.#finalNorm(tape, batch.heads),
      gainGradient: this.#parameters.get("output_layer.norm_final.weight").gradient,
    });
  }

  /** Logits of a chunk of heads; by the losses' way they become the derivatives by them. */
  #logits(
    pass: Pass,
    { tape: { batch, head }, first, rows, losses, lossFirst }: {
      tape: Tape;
      first: number;
      rows: number;
      losses: Tensor;
      lossFirst: number;
    },
  ): Tensor {
    const { weight, bias } = this.#output();
    const logits = project(pass, {
      ...{ x: head.h, weight: weight[this.#kept], bias: bias[this.#kept], part: { first, rows } },
    });
    crossEntropy(pass, {
      ...{ logits, tokens: batch.headTokens, weights: batch.headWeights, losses },
      ...{ heads: batch.heads, first, rows, lossFirst: lossFirst + first },
      ...{ vocabulary: this.config.vocabSize, mask: this.config.maskToken },
    });
    return logits;
  }

  *#chunks({ heads }: Batch): Generator<{ first: number; rows: number }> {
    const end = paddedRows(heads);
    for (let first = 0; first < end; first += this.#chunkRows) {
      yield { first, rows: Math.min(this.#chunkRows, end - first) };
    }
  }

  #scope(
    index: number,
    { batch, conditioning, dropout }:
      & Pick<Tape, "batch" | "conditioning">
      & Pick<PassOptions, "dropout">,
  ): LayerScope {
    const { streams, rows, rowSegments } = batch;
    const isLast = index === this.#layers.length - 1;
    return {
      parameters: this.#layers[index]!,
      kept: this.#kept,
      ...{ heads: this.config.heads, angles: this.#angles, streams, rowSegments },
      conditions: this.#conditions(conditioning.layers[index]!, batch),
      dModulation: conditioning.dLayers[index]!,
      asking: isLast ? streams.sequences * streams.length : rows,
      dropouts: [
        dropout && { ...dropout, site: 2 * index },
        dropout && { ...dropout, site: 2 * index + 1 },
      ],
    };
  }

  #finalNorm({ batch, conditioning }: Pick<Tape, "batch" | "conditioning">, rows: number) {
    return {
      gain: this.#parameters.get("output_layer.norm_final.weight")[this.#kept],
      conditions: this.#conditions(conditioning.final, batch),
      shift: 0,
      scale: this.config.hiddenSize,
      gather: { table: batch.headRows, rows },
    };
  }

  #conditions(modulation: Tensor, { streams: { sequences, length } }: Batch): Conditions {
    return { modulation, isShared: !this.config.timeConditioning, sequences, length };
  }

  #output(): { weight: Parameter; bias: Parameter } {
    return {
      weight: this.#parameters.get("output_layer.linear.weight"),
      bias: this.#parameters.get("output_layer.linear.bias"),
    };
  }
}

function layerOf(parameters: Parameters, index: number): LayerParameters {
  const get = (name: string) => parameters.get(`blocks.${index}.${name}`);
  return {
    norm1: get("norm1.weight"),
    qkv: get("attn_qkv.weight"),
    attentionOut: get("attn_out.weight"),
    norm2: get("norm2.weight"),
    up: get("mlp.0.weight"),
    upBias: get("mlp.0.bias"),
    down: get("mlp.2.weight"),
    downBias: get("mlp.2.bias"),
  };
}

function expectTrainable({ hiddenSize, headSize, modelLength }: Bd3lmConfig): void {
  const wrong = hiddenSize % 32 !== 0
    ? `hidden_dim is ${hiddenSize}, expected a multiple of 32`
    : headSize % 8 !== 0
    ? `heads have ${headSize} components, expected a multiple of 8`
    : modelLength % 8 !== 0
    ? `model_length is ${modelLength}, expected a multiple of 8`
    : null;
  if (wrong !== null) throw new TypeError(`Cannot train: ${wrong}`);
}
