/** What Deno and the drivers below it are told, where the user does not say otherwise. */
export const RUNTIME_ENVIRONMENT: Readonly<Record<string, string>> = {
  // The Vulkan loader complains on stderr where this is not set; only windows would use it.
  ...(Deno.build.os === "linux" ? { XDG_RUNTIME_DIR: "/tmp" } : {}),
  // The OpenGL backend lacks features and limits that the kernels are tested with.
  DENO_WEBGPU_BACKEND: "vulkan,metal,dx12",
};
