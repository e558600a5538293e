import type { Gpu, Tensor } from "../src/gpu/mod.ts";
import { paddedHeadSize } from "./head_sizes.ts";

/** Positions in the fine table, and steps of as many in the coarse one. */
export const NEAR_POSITIONS = 1024;
const FAR = 2048;

/** Positions that the tables reach: 0 … MAX_POSITIONS - 1. */
export const MAX_POSITIONS = NEAR_POSITIONS * FAR;

/** (cos, sin) of positions; an angle is the sum of one of each table. */
export interface RotaryTables extends Disposable {
  /** [1024, padded head size / 2, 2] f32: positions 0 … 1023. What pads a head does not turn. */
  readonly near: Tensor;
  /** [2048, padded head size / 2, 2] f32: every 1024th position. */
  readonly far: Tensor;
}

/**
 * Uploads rotary tables, computed in float64: f32 angles are off by 7e-5 at position 8,000 already.
 *
 * Source: Su et al. 2021, "RoFormer", eq. 15: θ_i = base^(-2i / headSize).
 */
export function rotaryTables(
  gpu: Gpu,
  { headSize, base }: { headSize: number; base: number },
): RotaryTables {
  const pairs = headSize / 2;
  const stride = paddedHeadSize(headSize) / 2;
  const table = (name: string, positions: number, step: number) => {
    const data = new Float32Array(positions * stride * 2);
    for (let i = 0; i < positions * stride; i++) {
      const pair = i % stride;
      const angle = pair < pairs ? Math.floor(i / stride) * step * base ** (-pair / pairs) : 0;
      data[2 * i] = Math.cos(angle);
      data[2 * i + 1] = Math.sin(angle);
    }
    return gpu.tensor(name, [positions, stride, 2], { data, kind: "weights" });
  };
  const near = table("rotary near", NEAR_POSITIONS, 1);
  const far = table("rotary far", FAR, NEAR_POSITIONS);
  return {
    near,
    far,
    [Symbol.dispose]: () => {
      near[Symbol.dispose]();
      far[Symbol.dispose]();
    },
  };
}
