import { Gpu, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import { noise } from "./noise.ts";

export { assertClose } from "./assert_close.ts";
export { noise };

let opened: Promise<Gpu> | undefined;

/**
 * Registers a test with a device. A machine without an adapter fails it: a GPU test never skips. The
 * device is opened once per test file, and its faults fail the test that caused them.
 */
export function gpuTest(name: string, run: (gpu: Gpu) => void | Promise<void>): void {
  Deno.test({
    name,
    // The device outlives the tests that share it.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const gpu = await (opened ??= Gpu.open());
      gpu.check();
      await run(gpu);
      await gpu.device.queue.onSubmittedWorkDone();
      gpu.check();
    },
  });
}

/** Uploads f32 values. */
export function upload(gpu: Gpu, shape: readonly number[], data: ArrayLike<number>): Tensor {
  return gpu.tensor("test", shape, { data: Float32Array.from(data) });
}

/** Uploads u32 values. */
export function uploadWords(gpu: Gpu, data: ArrayLike<number>): Tensor {
  return gpu.tensor("test", [data.length], { dtype: "u32", data: Uint32Array.from(data) });
}

/** Reads f32 values. */
export async function readFloats(gpu: Gpu, tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
  return new Float32Array(await gpu.read(tensor));
}

/** Records with `record`, runs it and reads the tensor it returns. */
export async function runAndRead(
  gpu: Gpu,
  record: (pass: Pass) => Tensor,
): Promise<Float32Array<ArrayBuffer>> {
  const pass = gpu.pass();
  using result = record(pass);
  pass.submit();
  return (await readFloats(gpu, result)).subarray(0, result.length);
}
