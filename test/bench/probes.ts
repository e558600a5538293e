import { defineKernel, type Gpu, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import copySource from "./copy.wgsl" with { type: "text" };
import peakSource from "./peak.wgsl" with { type: "text" };

const peakKernel = defineKernel("peak", peakSource);
const copyKernel = defineKernel("copy", copySource);

// As in the two kernels.
const LANES = 64;
const ROW_GROUPS = 32_768;
/** Workgroups that keep all of a device busy: a GPU has many that a CPU must do one by one. */
const PEAK_GROUPS = { cpu: 64, gpu: 8192 };
const PEAK_ITERATIONS = 400;
const UNROLLED = 16;
const ACCUMULATORS = 12;
/** More than a cache holds, on both sides. */
const COPY_BYTES = { cpu: 16 << 20, gpu: 256 << 20 };

/** Kernels that do one thing only: what the others are measured against. */
export class Probes implements Disposable {
  readonly #factors: Tensor;
  readonly #sums: Tensor;
  readonly #from: Tensor;
  readonly #to: Tensor;
  readonly #groups: number;
  readonly #bytes: number;

  constructor(gpu: Gpu) {
    const kind = gpu.isCpu ? "cpu" : "gpu";
    this.#groups = PEAK_GROUPS[kind];
    this.#bytes = Math.min(COPY_BYTES[kind], gpu.limits.maxStorageBufferBindingSize);
    // Towards a fixed point, so that no sum overflows.
    this.#factors = gpu.tensor("factors", [2], { data: Float32Array.of(0.5, 0.25) });
    this.#sums = gpu.tensor("sums", [this.#groups * LANES]);
    this.#from = gpu.tensor("copy from", [this.#bytes / 4]);
    this.#to = gpu.tensor("copy to", [this.#bytes / 4]);
  }

  /** Floating-point operations of one {@linkcode Probes.peak}. */
  get peakFlops(): number {
    return 2 * ACCUMULATORS * UNROLLED * PEAK_ITERATIONS * this.#groups * LANES;
  }

  /** Bytes that one {@linkcode Probes.copy} reads and writes. */
  get copyTraffic(): number {
    return 2 * this.#bytes;
  }

  /** Records multiply-adds and nothing else. */
  peak(pass: Pass): void {
    const tensors = { factors: this.#factors, y: this.#sums };
    pass.dispatch(peakKernel, { tensors, workgroups: [this.#groups] });
  }

  /** Records a copy. */
  copy(pass: Pass): void {
    const tensors = { x: this.#from, y: this.#to };
    const groups = this.#bytes / 16 / LANES;
    const width = Math.min(groups, ROW_GROUPS);
    pass.dispatch(copyKernel, { tensors, workgroups: [width, Math.ceil(groups / width)] });
  }

  [Symbol.dispose](): void {
    for (const each of [this.#factors, this.#sums, this.#from, this.#to]) each[Symbol.dispose]();
  }
}
