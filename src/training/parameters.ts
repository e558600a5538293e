import type { Moments } from "../../kernels/training/mod.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";
import { requiredTensors, type Sizes } from "../model/bd3lm_config.ts";
import { align } from "../weights/formats.ts";

/** What training keeps of a parameter: the weight, and what the optimiser needs. */
export const KEPT = ["weight", "gradient", "firstMoment", "secondMoment", "averaged"] as const;

/** One of {@linkcode KEPT}. */
export type Kept = typeof KEPT[number];

/** A weight of the network in f32, with all that training keeps of it. */
export interface Parameter extends Moments {
  /** As checkpoints call it. */
  readonly name: string;
  /** As checkpoints store it; on the device both sides are padded to multiples of 32 with zeros. */
  readonly shape: readonly number[];
}

/**
 * The parameters of a BD3-LM. Padding stays zero: nothing that is computed from it, or its gradient
 * from, is anything else.
 */
export class Parameters implements Disposable {
  readonly all: readonly Parameter[];
  readonly #gpu: Gpu;
  readonly #byName: ReadonlyMap<string, Parameter>;

  constructor(gpu: Gpu, sizes: Sizes) {
    this.#gpu = gpu;
    this.all = requiredTensors(sizes).map(([name, shape]) => allocate(gpu, name, shape));
    this.#byName = new Map(this.all.map((each) => [each.name, each]));
  }

  /** Numbers that are trained. */
  get count(): number {
    return this.all.reduce((sum, { shape }) => sum + elements(shape), 0);
  }

  /**
   * The parameter that checkpoints call `backbone.` and `name`.
   *
   * @throws {RangeError} If the network has none.
   */
  get(name: string): Parameter {
    const parameter = this.#byName.get(`backbone.${name}`);
    if (parameter) return parameter;
    throw new RangeError(`Cannot find parameter "${name}": the network has none of that name`);
  }

  /** Sets what is kept of a parameter, from values as checkpoints store them. */
  write(parameter: Parameter, what: Kept, values: Float32Array<ArrayBuffer>): void {
    const tensor = parameter[what];
    this.#gpu.write(tensor, padded(values, parameter.shape, tensor));
  }

  /** Copies what is kept of a parameter to the host, as checkpoints store it. */
  async read(parameter: Parameter, what: Kept): Promise<Float32Array<ArrayBuffer>> {
    const tensor = parameter[what];
    return trimmed(new Float32Array(await this.#gpu.read(tensor)), parameter.shape, tensor);
  }

  [Symbol.dispose](): void {
    for (const parameter of this.all) KEPT.forEach((each) => parameter[each][Symbol.dispose]());
  }
}

function allocate(gpu: Gpu, name: string, shape: readonly number[]): Parameter {
  const padded = shape.map(align);
  const tensor = (what: Kept, kind: "weights" | "state") =>
    gpu.tensor(`${name} ${what}`, padded, { kind });
  return {
    ...{ name, shape },
    weight: tensor("weight", "weights"),
    gradient: tensor("gradient", "state"),
    firstMoment: tensor("firstMoment", "state"),
    secondMoment: tensor("secondMoment", "state"),
    averaged: tensor("averaged", "state"),
  };
}

function padded(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  tensor: Tensor,
): Float32Array<ArrayBuffer> {
  if (values.length === tensor.length) return values;
  const [from, to] = [shape.at(-1)!, tensor.shape.at(-1)!]; // Parameters are no scalars.
  const result = new Float32Array(tensor.length);
  for (let row = 0; row < values.length / from; row++) {
    result.set(values.subarray(row * from, (row + 1) * from), row * to);
  }
  return result;
}

function trimmed(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  tensor: Tensor,
): Float32Array<ArrayBuffer> {
  const length = elements(shape);
  if (length === tensor.length) return values.subarray(0, length);
  const [to, from] = [shape.at(-1)!, tensor.shape.at(-1)!]; // Parameters are no scalars.
  const result = new Float32Array(length);
  for (let row = 0; row < length / to; row++) {
    result.set(values.subarray(row * from, row * from + to), row * to);
  }
  return result;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, each) => product * each, 1);
}
