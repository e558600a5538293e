import source from "./subgroups.wgsl" with { type: "text" };

const LANES = 64;
const NAMES = ["first", "sum", "size"] as const;

/**
 * Opens a device with subgroups where the adapter gives one, else without. The adapter's list of
 * features cannot be trusted here: software Vulkan lacks `subgroups` in it and has them all the same.
 *
 * @returns The device, and lanes per subgroup: `null` if there are none or they give wrong results.
 */
export async function requestDevice(
  adapter: GPUAdapter,
  descriptor: GPUDeviceDescriptor = {},
): Promise<{ device: GPUDevice; subgroupSize: number | null }> {
  let device;
  try {
    const requiredFeatures: GPUFeatureName[] = [...descriptor.requiredFeatures ?? [], "subgroups"];
    device = await adapter.requestDevice({ ...descriptor, requiredFeatures });
  } catch {
    // This is how an adapter says that it has none.
    return { device: await adapter.requestDevice(descriptor), subgroupSize: null };
  }
  return { device, subgroupSize: subgroupSizeOf(await runKernel(device)) };
}

/** Size of the subgroups if all lanes saw the same picture: neighbours in order. */
export function subgroupSizeOf(seen: Record<typeof NAMES[number], Uint32Array>): number | null {
  const size = seen.size[0] ?? 0;
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);
  const isSound = size > 0 && lanes.every((lane) => {
    const group = lanes.filter((other) => seen.first[other] === seen.first[lane]);
    return seen.size[lane] === group.length && group.length === size &&
      seen.first[lane] === group[0] && group.at(-1) === group[0]! + size - 1 &&
      seen.sum[lane] === group.reduce((a, b) => a + b, 0);
  });
  return isSound ? size : null;
}

async function runKernel(device: GPUDevice): Promise<Record<typeof NAMES[number], Uint32Array>> {
  device.pushErrorScope("validation");
  const bytes = LANES * Uint32Array.BYTES_PER_ELEMENT;
  const outputs = NAMES.map(() =>
    device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC })
  );
  const staging = device.createBuffer({
    size: bytes * NAMES.length,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code: source }), entryPoint: "subgroups" },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: outputs.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  outputs.forEach((buffer, i) => encoder.copyBufferToBuffer(buffer, 0, staging, i * bytes, bytes));
  device.queue.submit([encoder.finish()]);
  // A kernel that does not compile leaves zeros, which are no consistent picture.
  await device.popErrorScope();
  await staging.mapAsync(GPUMapMode.READ);
  const read = (i: number) => new Uint32Array(staging.getMappedRange(i * bytes, bytes).slice(0));
  return { first: read(0), sum: read(1), size: read(2) };
}
