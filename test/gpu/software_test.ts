import { assertEquals } from "@std/assert";
import { deviceClassOf } from "../../src/gpu/device.ts";
import { isSoftware } from "../../src/gpu/software.ts";

const LLVMPIPE = {
  description: "llvmpipe (LLVM 15.0.6, 256 bits)",
  device: "",
  isFallbackAdapter: false,
};
const H100 = { description: "NVIDIA H100 80GB HBM3", device: "", isFallbackAdapter: false };

Deno.test("isSoftware() knows software drivers by their names, and fallback adapters", () => {
  assertEquals(isSoftware(LLVMPIPE), true);
  assertEquals(isSoftware({ ...LLVMPIPE, description: "", device: "SwiftShader Device" }), true);
  assertEquals(isSoftware({ ...H100, isFallbackAdapter: true }), true);
  assertEquals(isSoftware(H100), false);
});

Deno.test("deviceClassOf() wants subgroups of 8 and loads of 32 bytes for the quick kernels", () => {
  const classes = ([subgroupSize, hasWideLoads]: readonly [number | null, boolean]) =>
    [LLVMPIPE, H100].map((info) => deviceClassOf(info, { subgroupSize, hasWideLoads }));
  assertEquals(classes([8, true]), ["cpu with subgroups", "gpu"]);
  assertEquals(classes([8, false]), ["cpu", "gpu"]);
  assertEquals(classes([16, true]), ["cpu", "gpu"]);
  assertEquals(classes([null, false]), ["cpu", "gpu"]);
});
