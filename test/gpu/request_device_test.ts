import { assertEquals } from "@std/assert";
import { findAdapter } from "../../src/commands/adapter.ts";
import { requestDevice } from "../../src/gpu/mod.ts";
import { isSoftware } from "../../src/gpu/software.ts";

const INT64 = "wgpu-shader-int64";

/** This machine's adapter as one that knows no more than some features, and what it is asked for. */
async function adapterWith(known: readonly string[], info: Partial<GPUAdapterInfo> = {}) {
  const adapter = await findAdapter();
  const asked: string[][] = [];
  const limited = new Proxy(adapter!, {
    get(target, name) {
      if (name === "info") return { ...describe(target.info), ...info };
      if (name !== "requestDevice") return Reflect.get(target, name, target);
      return async (descriptor: GPUDeviceDescriptor) => {
        const features = [...descriptor.requiredFeatures ?? []];
        asked.push(features);
        if (features.some((each) => !known.includes(each))) throw new TypeError("Unknown feature");
        const another = await findAdapter(); // An adapter gives one device.
        return await another!.requestDevice(descriptor);
      };
    },
  });
  return { limited, asked };
}

function describe({ description, device, isFallbackAdapter }: GPUAdapterInfo) {
  return { description, device, isFallbackAdapter };
}

Deno.test("requestDevice() finds what this machine can do", async () => {
  const adapter = await findAdapter();
  const { device, subgroupSize, hasWideLoads } = await requestDevice(adapter!);
  device.destroy();
  assertEquals(subgroupSize === null || [1, 2, 4, 8, 16, 32, 64].includes(subgroupSize), true);
  // Mesa's driver has all that the quick kernels need, wherever they run.
  if (!/llvmpipe/.test(adapter!.info.description)) return;
  assertEquals({ subgroupSize, hasWideLoads }, { subgroupSize: 8, hasWideLoads: true });
});

Deno.test("requestDevice() does without what an adapter does not know", async () => {
  for (const known of [[], ["subgroups"]]) {
    const { limited, asked } = await adapterWith(known);
    const { device, subgroupSize, hasWideLoads } = await requestDevice(limited);
    device.destroy();
    assertEquals(hasWideLoads, false, `${known}`);
    assertEquals(subgroupSize === null, known.length === 0, `${known}`);
    assertEquals(asked.at(-1), known);
  }
});

Deno.test("requestDevice() asks no GPU for 64-bit integers", async () => {
  const gpu = { description: "NVIDIA H100 80GB HBM3", isFallbackAdapter: false };
  for (
    const [info, isAsked] of [[{}, isSoftware((await findAdapter())!.info)], [gpu, false]] as const
  ) {
    const { limited, asked } = await adapterWith(["subgroups", INT64], info);
    const { device } = await requestDevice(limited);
    device.destroy();
    assertEquals(asked.flat().includes(INT64), isAsked);
  }
});

Deno.test("requestDevice() does without what a device fails of", async () => {
  const { limited } = await adapterWith(["subgroups", INT64]);
  const destroyed: GPUDevice[] = [];
  const failing = new Proxy(limited, {
    get(target, name) {
      if (name !== "requestDevice") return Reflect.get(target, name, target);
      return async (descriptor: GPUDeviceDescriptor) => {
        const device = await limited.requestDevice(descriptor);
        if (descriptor.requiredFeatures) {
          device.popErrorScope = () => Promise.reject(new Error("Lost"));
        }
        const destroy = device.destroy.bind(device);
        device.destroy = () => {
          destroyed.push(device);
          destroy();
        };
        return device;
      };
    },
  });
  const { device, ...found } = await requestDevice(failing);
  assertEquals(found, { subgroupSize: null, hasWideLoads: false });
  assertEquals(destroyed.length, isSoftware(limited.info) ? 2 : 1);
  device.destroy();
});
