/** Whether an adapter is the CPU: a software Vulkan driver. */
export function isSoftware(
  { isFallbackAdapter, description, device }: Pick<
    GPUAdapterInfo,
    "isFallbackAdapter" | "description" | "device"
  >,
): boolean {
  return isFallbackAdapter || /llvmpipe|lavapipe|swiftshader/i.test(description || device);
}
