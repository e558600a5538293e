import {
  activate,
  activateBackward,
  addBiasGradient,
  addWeightGradient,
  fillZero,
  project,
  projectBackward,
  type Segments,
} from "../../kernels/training/mod.ts";
import { timestepEmbedding, timestepFrequencies } from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../gpu/mod.ts";
import { TIMESTEP_HALF } from "../model/bd3lm_conditioning.ts";
import type { Bd3lmConfig } from "../model/bd3lm_config.ts";
import { paddedRows } from "./batch.ts";
import type { Kept, Parameter, Parameters } from "./parameters.ts";

/** Shifts, scales and gates of a pass, and all that their way back needs. */
export interface ConditionTape extends Disposable {
  /** Per layer [conditions, 6 width] f32, and [conditions, 2 width] for the head. */
  readonly layers: readonly Tensor[];
  readonly final: Tensor;
  /** Takes the derivatives by them; zero where nothing is written. */
  readonly dLayers: readonly Tensor[];
  readonly dFinal: Tensor;
  /** Records the way back to the parameters. */
  backward(pass: Pass): void;
}

/** Where the modulations of a network in training come from. */
export interface TrainedConditioning extends Disposable {
  /**
   * Records them for noise levels: one for each sequence with time conditioning; else the one of
   * level 0 for all.
   */
  forward(pass: Pass, sigma: Tensor): ConditionTape;
}

/** Layers of the trunk and the head that a conditioning speaks to. */
interface Targets {
  readonly layers: number;
  readonly width: number;
}

/**
 * Opens the conditioning of a network.
 *
 * @param options `sequences`: most of them in a pass. `kept`: which weights it reads.
 */
export function openConditioning(
  gpu: Gpu,
  config: Bd3lmConfig,
  options: {
    readonly parameters: Parameters;
    readonly sequences: number;
    readonly kept: Kept;
  },
): TrainedConditioning {
  if (!config.adaln) {
    return new Unconditioned(gpu, { layers: config.layers, width: config.hiddenSize });
  }
  return new TrainedConditioner(gpu, config, options);
}

/**
 * The adaptive conditioning: a perceptron on the sinusoid of the noise level, then a projection for
 * every layer.
 *
 * Source: Peebles & Xie 2023 (adaLN-Zero); kuleshov-group/bd3lms, `TimestepEmbedder`, `DDiTBlock`.
 */
class TrainedConditioner implements TrainedConditioning {
  readonly #parameters: Parameters;
  readonly #kept: Kept;
  readonly #projections: readonly string[];
  readonly #conditions: number;
  readonly #frequencies: Tensor;
  readonly #still: Tensor;
  readonly #derivatives: readonly Tensor[];
  readonly #segments: Segments & { readonly starts: Tensor };
  readonly #takesTime: boolean;

  constructor(
    gpu: Gpu,
    config: Bd3lmConfig,
    { parameters, sequences, kept }: { parameters: Parameters; sequences: number; kept: Kept },
  ) {
    this.#parameters = parameters;
    this.#kept = kept;
    this.#takesTime = config.timeConditioning;
    this.#conditions = paddedRows(config.timeConditioning ? sequences : 1);
    this.#projections = [
      ...Array.from({ length: config.layers }, (_, i) => `blocks.${i}.adaLN_modulation`),
      "output_layer.adaLN_modulation",
    ];
    const data = timestepFrequencies(TIMESTEP_HALF);
    this.#frequencies = gpu.tensor("frequencies", [TIMESTEP_HALF], { data });
    this.#still = gpu.tensor("sigma", [this.#conditions]);
    this.#derivatives = this.#projections.map((name) =>
      gpu.tensor(`${name} derivative`, [
        this.#conditions,
        parameters.get(`${name}.weight`).weight.shape[0]!, // A matrix.
      ])
    );
    const bounds = Uint32Array.of(0, this.#conditions);
    const starts = gpu.tensor("condition starts", [2], { dtype: "u32", data: bounds });
    this.#segments = { starts, segments: 1 };
  }

  forward(pass: Pass, sigma: Tensor): ConditionTape {
    const conditions = this.#conditions;
    const e = timestepEmbedding(pass, {
      sigma: this.#takesTime ? sigma : this.#still,
      conditions,
      frequencies: this.#frequencies,
    });
    const inner = this.#project(pass, "sigma_map.mlp.0", e);
    const hidden = activate(pass, "silu", inner);
    const outer = this.#project(pass, "sigma_map.mlp.2", hidden);
    // The official code has one more silu after the perceptron.
    const c = activate(pass, "silu", outer);
    const modulations = this.#projections.map((name) => this.#project(pass, name, c));
    const kept = [e, inner, hidden, outer, c, ...modulations];
    return {
      layers: modulations.slice(0, -1),
      final: modulations.at(-1)!, // That of the head.
      dLayers: this.#derivatives.slice(0, -1),
      dFinal: this.#derivatives.at(-1)!,
      backward: (pass) => this.#backward(pass, { e, inner, hidden, outer, c }),
      [Symbol.dispose]: () => kept.forEach((each) => each[Symbol.dispose]()),
    };
  }

  [Symbol.dispose](): void {
    const own = [this.#frequencies, this.#still, this.#segments.starts, ...this.#derivatives];
    for (const each of own) each[Symbol.dispose]();
  }

  #backward(
    pass: Pass,
    { e, inner, hidden, outer, c }: Record<"e" | "inner" | "hidden" | "outer" | "c", Tensor>,
  ): void {
    using dc = pass.scratch("dc", c.shape);
    fillZero(pass, dc);
    for (const [i, name] of this.#projections.entries()) {
      const dy = this.#derivatives[i]!; // One for each.
      const { weight } = this.#addGradients(pass, name, { dy, x: c });
      projectBackward(pass, { dy, weight: weight[this.#kept], into: dc, accumulates: true });
    }
    activateBackward(pass, "silu", { x: outer, dy: dc });
    const { weight } = this.#addGradients(pass, "sigma_map.mlp.2", { dy: dc, x: hidden });
    using dHidden = projectBackward(pass, { dy: dc, weight: weight[this.#kept] });
    activateBackward(pass, "silu", { x: inner, dy: dHidden });
    this.#addGradients(pass, "sigma_map.mlp.0", { dy: dHidden, x: e });
  }

  #project(pass: Pass, name: string, x: Tensor): Tensor {
    const { weight, bias } = this.#linear(name);
    return project(pass, { x, weight: weight[this.#kept], bias: bias[this.#kept] });
  }

  #addGradients(
    pass: Pass,
    name: string,
    { dy, x }: { dy: Tensor; x: Tensor },
  ): { weight: Parameter } {
    const { weight, bias } = this.#linear(name);
    addWeightGradient(pass, { dy, x, gradient: weight.gradient });
    const sums = { rows: this.#conditions, segments: this.#segments };
    addBiasGradient(pass, { dy, gradient: bias.gradient, ...sums });
    return { weight };
  }

  #linear(name: string): { weight: Parameter; bias: Parameter } {
    return {
      weight: this.#parameters.get(`${name}.weight`),
      bias: this.#parameters.get(`${name}.bias`),
    };
  }
}

/** Without adaptive norms: no shift, no scale, open gates, and nothing to learn. */
class Unconditioned implements TrainedConditioning {
  readonly #tape: ConditionTape;
  readonly #tensors: readonly Tensor[];

  constructor(gpu: Gpu, { layers, width }: Targets) {
    const values = new Float32Array(6 * width);
    values.fill(1, 2 * width, 3 * width).fill(1, 5 * width);
    const layer = gpu.tensor("modulation", [1, 6 * width], { data: values });
    const final = gpu.tensor("modulation", [1, 2 * width]);
    const dLayer = gpu.tensor("modulation derivative", [1, 6 * width]);
    const dFinal = gpu.tensor("modulation derivative", [1, 2 * width]);
    this.#tensors = [layer, final, dLayer, dFinal];
    const repeat = (tensor: Tensor) => Array.from({ length: layers }, () => tensor);
    this.#tape = {
      ...{ layers: repeat(layer), final, dLayers: repeat(dLayer), dFinal },
      backward: () => {},
      [Symbol.dispose]: () => {},
    };
  }

  forward(): ConditionTape {
    return this.#tape;
  }

  [Symbol.dispose](): void {
    for (const each of this.#tensors) each[Symbol.dispose]();
  }
}
