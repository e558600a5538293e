import { isSoftware } from "../gpu/software.ts";

/** A WebGPU adapter as far as people and the launcher care. */
export interface Adapter {
  readonly name: string;
  readonly vendor: string;
  /** Whether kernels run on the CPU (a software Vulkan driver). */
  readonly isCpu: boolean;
}

// Source: PCI vendor ids, and Khronos's own for those without one (VkVendorId in the Vulkan registry).
const VENDORS: Readonly<Record<number, string>> = {
  0x1002: "AMD",
  0x1010: "Imagination",
  0x106b: "Apple",
  0x10de: "NVIDIA",
  0x13b5: "ARM",
  0x1414: "Microsoft",
  0x14e4: "Broadcom",
  0x1ae0: "Google",
  0x5143: "Qualcomm",
  0x8086: "Intel",
  0x10005: "Mesa",
};

/** Says what an adapter is, from what WebGPU tells of it. */
export function describeAdapter(
  info: Pick<GPUAdapterInfo, "vendor" | "device" | "description" | "isFallbackAdapter">,
): Adapter {
  const name = info.description || info.device || "unnamed adapter";
  return {
    name,
    vendor: vendorName(info.vendor),
    isCpu: isSoftware(info),
  };
}

/** Vendor ids come as decimal or `0x…` text; names stay names. */
function vendorName(vendor: string): string {
  const id = /^(\d+|0x[0-9a-f]+)$/i.test(vendor) ? Number(vendor) : 0;
  return VENDORS[id] ?? (vendor || "unknown");
}

/** The adapter the engine would open, or `null` where there is none. */
export async function findAdapter(): Promise<GPUAdapter | null> {
  return await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? null;
}
