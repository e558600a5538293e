/** A kernel that shows at the start whether a device does what it says. */
export interface Probe {
  readonly source: string;
  readonly entryPoint: string;
  /** Bytes of each of its outputs, at bindings 0, 1 …, which begin as zeros. */
  readonly bytes: number;
  readonly outputs: number;
  /** What it reads, at the binding behind them. */
  readonly input?: Uint32Array<ArrayBuffer>;
}

/**
 * Runs one workgroup of a probe. Where it does not compile, its outputs stay zero.
 *
 * @throws {DOMException} If the device is lost.
 */
export async function runProbe(device: GPUDevice, probe: Probe): Promise<Uint32Array[]> {
  const { source, entryPoint, bytes, outputs: count, input } = probe;
  device.pushErrorScope("validation");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const outputs = Array.from({ length: count }, () => device.createBuffer({ size: bytes, usage }));
  const buffers = [...outputs];
  if (input) {
    const buffer = device.createBuffer({ size: input.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, input);
    buffers.push(buffer);
  }
  const staging = device.createBuffer({
    size: bytes * count,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code: source }), entryPoint },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  outputs.forEach((buffer, i) => encoder.copyBufferToBuffer(buffer, 0, staging, i * bytes, bytes));
  device.queue.submit([encoder.finish()]);
  await device.popErrorScope();
  await staging.mapAsync(GPUMapMode.READ);
  const results = outputs.map((_, i) =>
    new Uint32Array(staging.getMappedRange(i * bytes, bytes).slice(0))
  );
  for (const buffer of [...buffers, staging]) buffer.destroy();
  return results;
}
