import { linear } from "../../kernels/mod.ts";
import { type Gpu, Pass, type Tensor } from "../../src/gpu/mod.ts";
import { type LinearWeight, uploadLinear, type WeightFormat } from "../../src/weights/formats.ts";
import { noise } from "../support/noise.ts";

/** A matrix product: `rows` rows of `inputs` to as many of `outputs`. */
export interface ProductShape {
  readonly format: WeightFormat;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  /** As a software adapter without subgroups computes it. */
  readonly isPortable?: boolean;
}

/** A matrix product on random weights. */
export class Product implements Disposable {
  readonly name: string;
  readonly flops: number;
  /** Bytes of the weights alone. */
  readonly weightBytes: number;
  /** Device on which the variant is chosen. */
  readonly gpu: Gpu;
  readonly #weight: LinearWeight;
  readonly #x: Tensor;
  readonly #counts: Tensor;

  constructor(gpu: Gpu, { format, rows, inputs, outputs, isPortable = false }: ProductShape) {
    const name = `linear ${format} ${rows} x ${inputs} -> ${outputs}`;
    this.name = isPortable ? `${name}, portable` : name;
    this.flops = 2 * rows * inputs * outputs;
    this.gpu = isPortable ? withoutSubgroups(gpu) : gpu;
    const source = {
      outputs,
      inputs,
      rows: (first: number, count: number) => noise(count * inputs, first + 1),
    };
    this.#weight = uploadLinear(gpu, source, { name: "bench", format });
    this.weightBytes = this.#weight.parts.reduce((sum, { weight }) => sum + weight.sizeBytes, 0);
    this.#x = gpu.tensor("x", [rows, inputs], { data: noise(rows * inputs) });
    const data = Uint32Array.of(rows, rows);
    this.#counts = gpu.tensor("counts", [2], { dtype: "u32", data });
  }

  /** Records it once. */
  readonly record = (pass: Pass): void => {
    linear(pass, { x: this.#x, weight: this.#weight, counts: this.#counts })[Symbol.dispose]();
  };

  [Symbol.dispose](): void {
    for (const each of [this.#weight, this.#x, this.#counts]) each[Symbol.dispose]();
  }
}

/** The same device with its subgroups out of sight. */
function withoutSubgroups(gpu: Gpu): Gpu {
  const blind: Gpu = new Proxy(gpu, {
    get: (target, key) => {
      if (key === "deviceClass") return target.isCpu ? "cpu" : "gpu";
      if (key === "pass") return () => new Pass(blind);
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return blind;
}
