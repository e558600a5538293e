/** WebGPU, as little of it as the rest needs. */
export { type DeviceClass, Gpu, type MemoryKind } from "./device.ts";
export { GpuError } from "./errors.ts";
export { defineKernel, type Kernel } from "./kernel.ts";
export { type Copy, type Dispatch, Pass } from "./pass.ts";
export type { DispatchTime } from "./profiler.ts";
export { Readback } from "./readback.ts";
export { type ElementType, expectShape, Tensor } from "./tensor.ts";
export { requestDevice } from "./request_device.ts";
