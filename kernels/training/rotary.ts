import { defineKernel, type Gpu, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import source from "./rotary.wgsl" with { type: "text" };

const kernel = defineKernel("rotary", source);

/**
 * Uploads the angles of `length` positions: [length, headSize] f32, in the order of `rotary.wgsl`.
 */
export function rotaryAngles(
  gpu: Gpu,
  { length, headSize, base }: { length: number; headSize: number; base: number },
): Tensor {
  const half = headSize / 2;
  const data = new Float32Array(length * headSize);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * base ** (-2 * i / headSize);
      const at = position * headSize + Math.floor(i / 4) * 8 + i % 4;
      data[at] = Math.cos(angle);
      data[at + 4] = Math.sin(angle);
    }
  }
  return gpu.tensor("angles", [length, headSize], { data });
}

/**
 * Records the rotation of q and k in `qkv`, [rows, 3 · heads · headSize] f32, in place; `backward`
 * turns the derivatives by the rotated ones into those by the others.
 */
export function rotate(
  pass: Pass,
  { qkv, angles, heads, direction }: {
    readonly qkv: Tensor;
    readonly angles: Tensor;
    readonly heads: number;
    readonly direction: "forward" | "backward";
  },
): void {
  const [length = 0, headSize = 0] = angles.shape;
  const [rows = 0] = qkv.shape;
  pass.dispatch(kernel, {
    tensors: { angles, qkv },
    constants: { HEADS: heads, HALF4: headSize / 8 },
    params: { length, direction: direction === "forward" ? 1 : -1 },
    workgroups: [Math.ceil(heads * headSize / 4 / 32), rows],
  });
}
