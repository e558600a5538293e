import type { Packages } from "./system_packages.ts";

/** Environment variable by which the launcher tells `doctor`, which may not look, of a GPU. */
export const NVIDIA_VARIABLE = "BD_HAS_NVIDIA";

/** The kernel driver's control device; in a container too, once its toolkit has passed a GPU in. */
const DEVICE = "/dev/nvidiactl";

/** What NVIDIA's Vulkan driver links but does not bring along: without it there is no adapter. */
export const NVIDIA_VULKAN: Packages = {
  debian: ["libvulkan1", "libx11-6", "libxext6", "libegl1"],
  fedora: ["vulkan-loader", "libX11", "libXext", "libglvnd-egl"],
  arch: ["vulkan-icd-loader", "libx11", "libxext", "libglvnd"],
  other: "install the Vulkan loader, libX11, libXext and libEGL",
};

/** The other reason for which a container has NVIDIA's GPU and no adapter. */
export const NVIDIA_CONTAINER =
  "In a container start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics, too";

/** Whether the kernel knows a GPU of NVIDIA, be it of use to Vulkan or not. */
export function hasNvidia(): boolean {
  try {
    return Deno.statSync(DEVICE).isCharDevice ?? false;
  } catch {
    // Not there, or on no Linux.
    return false;
  }
}
