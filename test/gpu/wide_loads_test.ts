import { assertEquals } from "@std/assert";
import { findAdapter } from "../../src/commands/adapter.ts";
import { hasWideLoads } from "../../src/gpu/wide_loads.ts";

Deno.test("hasWideLoads() is silent about a device on which its kernel does not compile", async () => {
  const adapter = await findAdapter();
  const device = await adapter!.requestDevice();
  let errors = 0;
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    errors += 1;
  });
  assertEquals(await hasWideLoads(device), false);
  assertEquals(errors, 0);
  device.destroy();
});
