import { assertEquals } from "@std/assert";
import { describeAdapter } from "../../src/commands/adapter.ts";

const info = { vendor: "", device: "", description: "", isFallbackAdapter: false };

for (
  const [vendor, name] of [
    ["65541", "Mesa"],
    ["4318", "NVIDIA"],
    ["0x10de", "NVIDIA"],
    ["0x10DE", "NVIDIA"],
    ["4098", "AMD"],
    ["32902", "Intel"],
    ["5045", "ARM"],
    ["20803", "Qualcomm"],
    ["4203", "Apple"],
    ["1", "1"],
    ["apple", "apple"],
    ["", "unknown"],
  ]
) {
  Deno.test(`describeAdapter() calls vendor "${vendor}" ${name}`, () => {
    assertEquals(describeAdapter({ ...info, vendor: vendor! }).vendor, name);
  });
}

Deno.test("describeAdapter() knows a CPU by the flag or by the driver's name", () => {
  const isCpu = (change: Partial<typeof info>) => describeAdapter({ ...info, ...change }).isCpu;
  assertEquals(isCpu({ isFallbackAdapter: true }), true);
  assertEquals(isCpu({ description: "llvmpipe (LLVM 15.0.6, 256 bits)" }), true);
  assertEquals(isCpu({ description: "SwiftShader Device (Subzero)" }), true);
  assertEquals(isCpu({ description: "NVIDIA H100 80GB HBM3" }), false);
});

Deno.test("describeAdapter() falls back on the device, then on a word", () => {
  assertEquals(describeAdapter({ ...info, device: "0x2330" }).name, "0x2330");
  assertEquals(describeAdapter(info).name, "unnamed adapter");
});
