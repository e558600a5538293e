import type { Adapter } from "./adapter.ts";

/**
 * Bytes of memory that the device can give to a model; `null` where nobody can tell.
 *
 * WebGPU does not say. A CPU adapter lives in the host's memory; NVIDIA's driver comes with a tool.
 */
export async function findDeviceMemory({ isCpu, vendor }: Adapter): Promise<number | null> {
  if (isCpu) return Deno.systemMemoryInfo().available;
  return vendor === "NVIDIA" ? parseNvidiaMemory(await queryNvidia()) : null;
}

/** Bytes of the smallest GPU that `nvidia-smi` lists in MiB: which one Vulkan picks is unknown. */
export function parseNvidiaMemory(output: string): number | null {
  const sizes = output.split("\n").map((line) => line.trim()).filter((line) => /^\d+$/.test(line));
  return sizes.length > 0 ? Math.min(...sizes.map(Number)) * 2 ** 20 : null;
}

async function queryNvidia(): Promise<string> {
  try {
    const { stdout } = await new Deno.Command("nvidia-smi", {
      args: ["--query-gpu=memory.total", "--format=csv,noheader,nounits"],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
