import source from "./subgroups.wgsl" with { type: "text" };

const LANES = 64;
const NAMES = ["first", "sum", "size"] as const;

/**
 * Measures how many lanes of a workgroup can add and broadcast without shared memory, by running a
 * kernel that does. The adapter's list of features cannot be trusted here: software Vulkan lacks
 * `subgroups` in it and has them all the same.
 *
 * @returns Lanes per subgroup; `null` if subgroups cannot be had or give wrong results.
 */
export async function findSubgroupSize(adapter: GPUAdapter): Promise<number | null> {
  let device;
  try {
    device = await adapter.requestDevice({ requiredFeatures: ["subgroups"] });
  } catch {
    // This is how an adapter says that it has none.
    return null;
  }
  try {
    return subgroupSizeOf(await runKernel(device));
  } finally {
    device.destroy();
  }
}

/** What the lanes saw of their subgroups, if that is one consistent picture. */
export function subgroupSizeOf(seen: Record<typeof NAMES[number], Uint32Array>): number | null {
  const size = seen.size[0] ?? 0;
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);
  const isSound = size > 0 && lanes.every((lane) => {
    const group = lanes.filter((other) => seen.first[other] === seen.first[lane]);
    return seen.size[lane] === group.length && group.length === size &&
      seen.first[lane] === group[0] && seen.sum[lane] === group.reduce((a, b) => a + b, 0);
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
