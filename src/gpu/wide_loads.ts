import { runProbe } from "./probe.ts";
import source from "./wide_loads.wgsl" with { type: "text" };

/** Words that the kernel takes apart, each one different in all of its bytes. */
const WORDS = Uint32Array.from({ length: 64 }, (_, i) => i * 0x0401_0101 + 0x4080_00ff);

/** Whether a device with 64-bit integers loads and stores 32 bytes at a time as vectors of them. */
export async function hasWideLoads(device: GPUDevice): Promise<boolean> {
  const probe = { source, entryPoint: "wide_loads", bytes: WORDS.byteLength, outputs: 2 };
  const outputs = await runProbe(device, { ...probe, input: WORDS });
  return outputs.every((words) => words.every((word, i) => word === WORDS[i]));
}
