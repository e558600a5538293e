import { linear, timestepEmbedding, timestepFrequencies } from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../gpu/mod.ts";
import type { LinearWeight } from "../weights/formats.ts";

/** Half the width of the sinusoid that noise levels are embedded in. */
export const TIMESTEP_HALF = 128;

/** Noise levels that rows point to. */
export interface NoiseLevels {
  /** At least [conditions] f32. */
  readonly sigma: Tensor;
  readonly conditions: number;
}

/** Shift, scale and gate of every layer and noise level. */
export interface Modulation extends Disposable {
  /** Per layer [conditions, 6 width] f32: shift, scale, gate of attention, then of the MLP. */
  readonly layers: readonly Tensor[];
  /** [conditions, 2 width] f32: shift and scale before the output layer. */
  readonly final: Tensor;
}

/** Where the modulation of a pass comes from. */
export interface Conditioning extends Disposable {
  /** Records what it takes. The result lives until disposed of, or as long as this does. */
  modulate(pass: Pass, levels: NoiseLevels): Modulation;
}

/** Weights of a {@linkcode Conditioner}. */
export interface ConditionerWeights {
  /** Two-layer perceptron on the sinusoid. */
  readonly mlp: readonly [LinearWeight, LinearWeight];
  /** adaLN projections of the layers, and of the output layer. */
  readonly layers: readonly LinearWeight[];
  readonly final: LinearWeight;
}

/**
 * Computes the modulation from noise levels.
 *
 * Source: Peebles & Xie 2023 (adaLN-Zero); kuleshov-group/bd3lms, `TimestepEmbedder`, `DDiTBlock`.
 */
export class Conditioner implements Conditioning {
  readonly #weights: ConditionerWeights;
  readonly #frequencies: Tensor;
  readonly #counts: Tensor;

  constructor(gpu: Gpu, weights: ConditionerWeights) {
    this.#weights = weights;
    const data = timestepFrequencies(TIMESTEP_HALF);
    this.#frequencies = gpu.tensor("frequencies", [TIMESTEP_HALF], { data });
    // Dispatches over noise levels are bounded by their size alone.
    const unbounded = new Uint32Array(2).fill(-1);
    this.#counts = gpu.tensor("condition counts", [2], { dtype: "u32", data: unbounded });
  }

  /**
   * Records the conditioning vector of every noise level.
   *
   * @returns [conditions, condition width] f32, scratch of `pass`.
   */
  condition(pass: Pass, { sigma, conditions }: NoiseLevels): Tensor {
    const [first, second] = this.#weights.mlp;
    const counts = this.#counts;
    using e = timestepEmbedding(pass, { sigma, conditions, frequencies: this.#frequencies });
    using hidden = linear(pass, { x: e, weight: first, counts, epilogue: "silu" });
    // The official code has one more silu after the perceptron.
    return linear(pass, { x: hidden, weight: second, counts, epilogue: "silu" });
  }

  modulate(pass: Pass, levels: NoiseLevels): Modulation {
    using c = this.condition(pass, levels);
    const project = (weight: LinearWeight) => linear(pass, { x: c, weight, counts: this.#counts });
    return modulation(this.#weights.layers.map(project), project(this.#weights.final));
  }

  /** A conditioning by noise level 0 alone, and what computes it once the weights are there. */
  freeze(gpu: Gpu): { conditioning: Conditioning; compute: () => void } {
    const keep = ({ outputs }: LinearWeight) =>
      gpu.tensor("modulation", [1, outputs], { kind: "weights" });
    const frozen = modulation(this.#weights.layers.map(keep), keep(this.#weights.final));
    const compute = () => {
      using sigma = gpu.tensor("sigma", [1]);
      const pass = gpu.pass();
      using scratch = this.modulate(pass, { sigma, conditions: 1 });
      const from = [...scratch.layers, scratch.final];
      const to = [...frozen.layers, frozen.final];
      pass.submit(
        from.map((each, i) => ({ from: each, to: to[i]!.buffer, bytes: each.sizeBytes })),
      );
    };
    return { conditioning: constant(frozen), compute };
  }

  [Symbol.dispose](): void {
    const { mlp, layers, final } = this.#weights;
    for (const each of [...mlp, ...layers, final]) each[Symbol.dispose]();
    this.#frequencies[Symbol.dispose]();
    this.#counts[Symbol.dispose]();
  }
}

/** Tensors that are freed together. */
function modulation(layers: readonly Tensor[], final: Tensor): Modulation {
  return {
    layers,
    final,
    [Symbol.dispose]: () => [...layers, final].forEach((each) => each[Symbol.dispose]()),
  };
}

/** Takes over tensors and lends them to every pass. */
function constant(owned: Modulation): Conditioning {
  return {
    modulate: () => ({ ...owned, [Symbol.dispose]: () => {} }),
    [Symbol.dispose]: () => owned[Symbol.dispose](),
  };
}

/** Without adaptive norms: no shift, no scale, open gates. */
export function noConditioning(
  gpu: Gpu,
  { layers, width }: { layers: number; width: number },
): Conditioning {
  const layer = new Float32Array(6 * width);
  layer.fill(1, 2 * width, 3 * width).fill(1, 5 * width);
  const tensor = (data: Float32Array<ArrayBuffer>) =>
    gpu.tensor("modulation", [1, data.length], { data, kind: "weights" });
  const all = Array.from({ length: layers }, () => tensor(layer));
  return constant(modulation(all, tensor(new Float32Array(2 * width))));
}
