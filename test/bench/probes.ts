import { defineKernel, type Gpu, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import copySource from "./copy.wgsl" with { type: "text" };
import peakSource from "./peak.wgsl" with { type: "text" };

const peakKernel = defineKernel("peak", peakSource);
const copyKernel = defineKernel("copy", copySource);

// As in the two kernels.
const LANES = 64;
const PEAK_GROUPS = 64;
const PEAK_ITERATIONS = 400;
const UNROLLED = 16;
const ACCUMULATORS = 12;
/** More than a cache holds, on both sides. */
const COPY_BYTES = 16 << 20;

/** Floating-point operations of one {@linkcode Probes.peak}. */
export const PEAK_FLOPS = 2 * ACCUMULATORS * UNROLLED * PEAK_ITERATIONS * PEAK_GROUPS * LANES;
/** Bytes that one {@linkcode Probes.copy} reads and writes. */
export const COPY_TRAFFIC = 2 * COPY_BYTES;

/** Kernels that do one thing only: what the others are measured against. */
export class Probes implements Disposable {
  readonly #factors: Tensor;
  readonly #sums: Tensor;
  readonly #from: Tensor;
  readonly #to: Tensor;

  constructor(gpu: Gpu) {
    // Towards a fixed point, so that no sum overflows.
    this.#factors = gpu.tensor("factors", [2], { data: Float32Array.of(0.5, 0.25) });
    this.#sums = gpu.tensor("sums", [PEAK_GROUPS * LANES]);
    this.#from = gpu.tensor("copy from", [COPY_BYTES / 4]);
    this.#to = gpu.tensor("copy to", [COPY_BYTES / 4]);
  }

  /** Records multiply-adds and nothing else. */
  peak(pass: Pass): void {
    const tensors = { factors: this.#factors, y: this.#sums };
    pass.dispatch(peakKernel, { tensors, workgroups: [PEAK_GROUPS] });
  }

  /** Records a copy. */
  copy(pass: Pass): void {
    const tensors = { x: this.#from, y: this.#to };
    pass.dispatch(copyKernel, { tensors, workgroups: [COPY_BYTES / 16 / LANES] });
  }

  [Symbol.dispose](): void {
    for (const each of [this.#factors, this.#sums, this.#from, this.#to]) each[Symbol.dispose]();
  }
}
