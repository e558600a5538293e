// What the rest relies on in Deno, wgpu and the driver, and what no type tells. When an upgrade
// changes one of them, this says which.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { defineKernel, Gpu } from "../../src/gpu/mod.ts";
import { gpuTest, uploadWords } from "../support/gpu.ts";
import source from "./runtime.wgsl" with { type: "text" };

const LANES = 64;
const BROKEN = "@compute @workgroup_size(1) fn broken() { nonsense(); }";

/** A device of its own, whose faults are counted here. */
async function openDevice(limits: Record<string, number> = {}) {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice({ requiredLimits: limits });
  const errors: string[] = [];
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    errors.push((event as GPUUncapturedErrorEvent).error.message);
  });
  return { device, errors, [Symbol.dispose]: () => device.destroy() };
}

/** Lets one message through, as a `Readback` does before it looks for faults. */
function nextMessage(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

Deno.test("a buffer mapped before can be read right after mapAsync()", async () => {
  using opened = await openDevice();
  const { device, errors } = opened;
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: 1 << 20, usage });
  await buffer.mapAsync(GPUMapMode.READ);
  buffer.unmap();
  for (let round = 1; round <= 50; round++) {
    device.queue.writeBuffer(buffer, 0, new Uint32Array(1 << 18).fill(round));
    device.queue.submit([]);
    buffer.mapAsync(GPUMapMode.READ).catch(() => {});
    const words = new Uint32Array(buffer.getMappedRange().slice(0));
    buffer.unmap();
    assertEquals(words.findIndex((word) => word !== round), -1, `round ${round}`);
  }
  await nextMessage();
  assertEquals(errors, []);
});

Deno.test("faults never throw: they come as an event before the next message", async () => {
  using opened = await openDevice();
  const { device, errors } = opened;
  const module = device.createShaderModule({ label: "broken", code: BROKEN });
  device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "broken" } });
  await nextMessage();
  assert(errors.length >= 1);
  assert(errors[0]!.includes("'broken'"), errors[0]);
});

Deno.test("a buffer cannot be read and written in one dispatch", async () => {
  using opened = await openDevice();
  const { device, errors } = opened;
  const code = "@group(0) @binding(0) var<storage, read> x: array<f32>;\n" +
    "@group(0) @binding(1) var<storage, read_write> y: array<f32>;\n" +
    "@compute @workgroup_size(1) fn copy() { y[0] = x[0]; }";
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const buffer = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE });
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [0, 1].map((binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  await nextMessage();
  assertEquals(errors.length >= 1, true);
});

Deno.test("limits are small unless they are asked for", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  using opened = await openDevice();
  assertEquals(opened.device.limits.maxStorageBuffersPerShaderStage, 8);
  const { maxStorageBuffersPerShaderStage } = adapter!.limits;
  using raised = await openDevice({ maxStorageBuffersPerShaderStage });
  const { limits } = raised.device;
  assertEquals(limits.maxStorageBuffersPerShaderStage, maxStorageBuffersPerShaderStage);
});

Deno.test("destroy() resolves lost, and mappings reject", async () => {
  const { device } = await openDevice();
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: 16, usage });
  device.destroy();
  await device.lost;
  await assertRejects(() => buffer.mapAsync(GPUMapMode.READ));
  // Neither of these throws.
  device.createBuffer({ size: 16, usage });
  device.queue.submit([]);
});

Deno.test("params of neighbouring dispatches can lie 256 bytes apart, or fewer", async () => {
  using gpu = await Gpu.open();
  assertEquals(256 % gpu.limits.minUniformBufferOffsetAlignment, 0);
});

gpuTest(
  "kernels find zeros in workgroup memory, see writes after barriers, and loop",
  async (gpu) => {
    const kernel = defineKernel("runtime", source);
    using halves = uploadWords(gpu, [1, 1, 1, 1]);
    using words = uploadWords(gpu, new Uint32Array(4 * LANES).fill(9));
    const pass = gpu.pass();
    // The second finds what the first left, unless memory is cleared.
    for (let i = 0; i < 2; i++) {
      pass.dispatch(kernel, { tensors: { halves, words }, workgroups: [1] });
    }
    pass.submit();
    const lanes = Array.from({ length: LANES }, (_, lane) => lane);
    assertEquals([...new Uint32Array(await gpu.read(words))], [
      ...lanes.map(() => 0),
      ...lanes,
      ...lanes.map((lane) => (lane + 1) % LANES + LANES),
      ...lanes.map(() => 60_000),
    ]);
  },
);
