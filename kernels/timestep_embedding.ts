import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import source from "./timestep_embedding.wgsl" with { type: "text" };

const kernel = defineKernel("timestep_embedding", source);
const LANES = 64;

/** Operands of {@linkcode timestepEmbedding}. */
export interface TimestepEmbedding {
  /** At least [conditions] f32: noise levels. */
  readonly sigma: Tensor;
  readonly conditions: number;
  /** [half] f32, see {@linkcode timestepFrequencies}. */
  readonly frequencies: Tensor;
}

/** 10000^(-i / half) for i below half: the frequencies of the sinusoid. */
export function timestepFrequencies(half: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: half }, (_, i) => 10_000 ** (-i / half));
}

/**
 * Records the sinusoidal embedding of noise levels, cosines first.
 *
 * @returns [conditions, 2 half] f32, scratch of `pass`.
 */
export function timestepEmbedding(
  pass: Pass,
  { sigma, conditions, frequencies }: TimestepEmbedding,
): Tensor {
  const half = frequencies.length;
  const e = pass.scratch("timestep_embedding", [conditions, 2 * half]);
  pass.dispatch(kernel, {
    tensors: { sigma, frequencies, e },
    constants: { HALF: half },
    workgroups: [Math.ceil(half / LANES), conditions],
  });
  return e;
}
