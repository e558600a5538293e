import { assertEquals } from "@std/assert";
import { findAdapter } from "../../src/commands/adapter.ts";
import { requestDevice } from "../../src/gpu/mod.ts";
import { hasWideLoads } from "../../src/gpu/wide_loads.ts";

Deno.test("requestDevice() finds subgroups of a power of two, or none, on this machine", async () => {
  const adapter = await findAdapter();
  const { device, subgroupSize: size } = await requestDevice(adapter!);
  device.destroy();
  assertEquals(size === null || [1, 2, 4, 8, 16, 32, 64].includes(size), true);
});

Deno.test("requestDevice() does without what an adapter refuses", async () => {
  const adapter = await findAdapter();
  // As adapters that know neither, one or both of the extras.
  for (const known of [[], ["subgroups"]]) {
    const refusing = new Proxy(adapter!, {
      get(target, name) {
        if (name !== "requestDevice") return Reflect.get(target, name, target);
        return async (descriptor: GPUDeviceDescriptor) => {
          const unknown = [...descriptor.requiredFeatures ?? []].filter((each) =>
            !known.includes(each)
          );
          if (unknown.length > 0) throw new TypeError(`No ${unknown}`);
          const another = await findAdapter(); // An adapter gives one device.
          return await another!.requestDevice(descriptor);
        };
      },
    });
    const { device, subgroupSize, hasWideLoads } = await requestDevice(refusing);
    device.destroy();
    assertEquals(hasWideLoads, false, `${known}`);
    if (known.length === 0) assertEquals(subgroupSize, null);
  }
});

Deno.test("hasWideLoads() does not believe a device on which the kernel does not compile", async () => {
  const adapter = await findAdapter();
  const device = await adapter!.requestDevice();
  assertEquals(await hasWideLoads(device), false);
  device.destroy();
});
