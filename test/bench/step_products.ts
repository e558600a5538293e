import { linear, type RotaryTables, rotaryTables } from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { noise } from "../support/noise.ts";
import type { HarnessInputs } from "../support/forward.ts";

/** The matrix products of one step without anything between them, as the network records them. */
export class StepProducts implements Disposable {
  readonly #network: Bd3lm;
  readonly #inputs: HarnessInputs;
  readonly #rotary: RotaryTables;
  /** [rows, width] f32: what is multiplied, and what results are added to. */
  readonly #x: Tensor;
  readonly #sum: Tensor;
  /** [rows, 4 width] f32. */
  readonly #wide: Tensor;

  constructor(gpu: Gpu, network: Bd3lm, inputs: HarnessInputs) {
    const { up } = network.weights.layers[0]!; // There is one at least.
    const tensor = (name: string, width: number) => {
      const shape = [inputs.bound, width];
      return gpu.tensor(name, shape, { data: noise(inputs.bound * width) });
    };
    this.#network = network;
    this.#inputs = inputs;
    // The base does not matter here: the tables are as large with any.
    this.#rotary = rotaryTables(gpu, { headSize: network.config.headSize, base: 10_000 });
    this.#x = tensor("x", up.inputs);
    this.#sum = tensor("sum", up.inputs);
    this.#wide = tensor("wide", up.outputs);
  }

  /** Records them once. */
  readonly record = (pass: Pass): void => {
    const { rows, counts, cache } = this.#inputs;
    const { weights } = this.#network;
    const width = this.#x.shape[1]!;
    using modulation = weights.conditioning.modulate(pass, this.#inputs);
    weights.layers.forEach(({ qkv, attentionOut, up, down }, i) => {
      const store = { rows, cache: cache[i]!, rotary: this.#rotary };
      const add = { rows, into: this.#sum, modulation: modulation.layers[i]! };
      const [x, wide] = [{ x: this.#x, counts }, { x: this.#wide, counts }];
      linear(pass, { ...x, weight: qkv, epilogue: { type: "rope_store", ...store } })
        [Symbol.dispose]();
      linear(pass, {
        ...x,
        weight: attentionOut,
        epilogue: { type: "gated", ...add, gate: 2 * width },
      });
      linear(pass, { ...x, weight: up, epilogue: "gelu" })[Symbol.dispose]();
      linear(pass, {
        ...wide,
        weight: down,
        epilogue: { type: "gated", ...add, gate: 5 * width },
      });
    });
    linear(pass, { x: this.#x, counts, weight: weights.output })[Symbol.dispose]();
  };

  [Symbol.dispose](): void {
    for (const each of [this.#rotary, this.#x, this.#sum, this.#wide]) each[Symbol.dispose]();
  }
}
