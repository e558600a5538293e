import { assert, assertEquals } from "@std/assert";
import { findDeviceMemory, parseNvidiaMemory } from "../../src/commands/device_memory.ts";

Deno.test("findDeviceMemory() takes a CPU adapter's from the host", async () => {
  const bytes = await findDeviceMemory({ name: "llvmpipe", vendor: "Mesa", isCpu: true });
  assert(bytes !== null && bytes > 0 && bytes <= Deno.systemMemoryInfo().total);
});

Deno.test("findDeviceMemory() knows nothing of other vendors", async () => {
  assertEquals(await findDeviceMemory({ name: "Arc", vendor: "Intel", isCpu: false }), null);
});

Deno.test("parseNvidiaMemory() reads MiB, of several GPUs the smallest", () => {
  assertEquals(parseNvidiaMemory("81559\n"), 81559 * 1048576);
  assertEquals(parseNvidiaMemory("81559\n 24576\r\n"), 24576 * 1048576);
  assertEquals(parseNvidiaMemory("[N/A]\n"), null);
  assertEquals(parseNvidiaMemory(""), null);
});
