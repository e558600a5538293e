import { defineKernel, type Gpu, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import source from "./affine.wgsl" with { type: "text" };

/** A small kernel with operands, parameters and a constant. */
export const affine = defineKernel("affine", source);

/** A kernel that no compiler takes. */
export const broken = defineKernel(
  "broken",
  "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n" +
    "@compute @workgroup_size(1)\n" +
    "fn broken() { y[0] = nonsense; }\n",
);

/** Records y = factor · y + x + offset. */
export function recordAffine(
  pass: Pass,
  operands: { x: Tensor; y: Tensor; factor: number; offset?: number },
): void {
  const { x, y, factor, offset = 0 } = operands;
  pass.dispatch(affine, {
    tensors: { x, y },
    constants: { OFFSET: offset },
    params: { length: y.length, factor },
    workgroups: [Math.ceil(y.length / 64)],
  });
}

/** Records a kernel that does not compile. */
export function recordBroken(gpu: Gpu, y: Tensor): Pass {
  const pass = gpu.pass();
  pass.dispatch(broken, { tensors: { y }, workgroups: [1] });
  return pass;
}
