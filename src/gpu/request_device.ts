import { isSoftware } from "./software.ts";
import { findSubgroupSize } from "./subgroups.ts";
import { hasWideLoads } from "./wide_loads.ts";

/**
 * Deno's name for 64-bit integers in kernels, which WebGPU itself does not have. Where it is unknown
 * the device comes without.
 */
const INT64 = "wgpu-shader-int64" as GPUFeatureName;

/** An open device, and what it can do beyond its limits. */
export interface OpenDevice {
  readonly device: GPUDevice;
  /** Lanes per subgroup: `null` if there are none or they give wrong results. */
  readonly subgroupSize: number | null;
  /**
   * Whether kernels may load and store 32 bytes at a time, as vectors of 64-bit integers. GPUs are not
   * asked.
   */
  readonly hasWideLoads: boolean;
}

/**
 * Opens a device with subgroups where the adapter gives one, else without; a software adapter also with
 * 64-bit integers, for which GPUs have no use here. The adapter's list of features cannot be trusted:
 * software Vulkan lacks both in it and has them all the same.
 */
export async function requestDevice(
  adapter: GPUAdapter,
  descriptor: GPUDeviceDescriptor = {},
): Promise<OpenDevice> {
  const wide = isSoftware(adapter.info) ? [["subgroups", INT64] as const] : [];
  for (const extras of [...wide, ["subgroups"] as const]) {
    let device: GPUDevice | undefined;
    try {
      const requiredFeatures: GPUFeatureName[] = [...descriptor.requiredFeatures ?? [], ...extras];
      device = await adapter.requestDevice({ ...descriptor, requiredFeatures });
      const subgroupSize = await findSubgroupSize(device);
      const isWide = requiredFeatures.includes(INT64) && await hasWideLoads(device);
      return { device, subgroupSize, hasWideLoads: isWide };
    } catch {
      // This is how an adapter says that it has not all of them, and a device that it fails of them.
      device?.destroy();
    }
  }
  const device = await adapter.requestDevice(descriptor);
  return { device, subgroupSize: null, hasWideLoads: false };
}
