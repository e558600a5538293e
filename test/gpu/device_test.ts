import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { expectShape, Gpu, GpuError } from "../../src/gpu/mod.ts";
import { gpuTest, upload } from "../support/gpu.ts";
import { recordAffine, recordBroken } from "./affine.ts";

gpuTest("Gpu.bytes counts what lives, by kind", (gpu) => {
  const before = gpu.bytes;
  const weights = gpu.tensor("w", [3, 100], { dtype: "f16", kind: "weights" });
  const cache = gpu.tensor("c", [1000], { kind: "cache" });
  {
    using _state = gpu.tensor("s", [1]);
    const { weights, cache, state, scratch } = gpu.bytes;
    // Buffers take whole vectors of 16 bytes.
    assertEquals(weights - before.weights, 608);
    assertEquals(cache - before.cache, 4000);
    assertEquals(state - before.state, 16);
    assertEquals(scratch, before.scratch);
  }
  weights[Symbol.dispose]();
  weights[Symbol.dispose]();
  cache[Symbol.dispose]();
  assertEquals(gpu.bytes, before);
});

gpuTest("Gpu.takeScratch() keeps buffers of one size for the next", (gpu) => {
  const before = gpu.bytes.scratch;
  const large = 1 << 20;
  const first = gpu.takeScratch(large - 100);
  assertEquals(gpu.bytes.scratch - before, large);
  const second = gpu.takeScratch(large);
  assertEquals(gpu.bytes.scratch - before, 2 * large);
  first.giveBack();
  assertEquals(gpu.takeScratch(large - 5000).buffer === first.buffer, true);
  second.giveBack();
  assertEquals(gpu.bytes.scratch - before, 2 * large);
});

gpuTest("Gpu.tensor() throws beyond the largest binding", (gpu) => {
  const most = gpu.limits.maxStorageBufferBindingSize;
  const before = gpu.bytes;
  const message = `Cannot allocate "huge": it takes ${Math.floor(most / 16) * 16 + 16} bytes`;
  const elements = Math.floor(most / 16) * 4 + 1;
  assertThrows(() => gpu.tensor("huge", [elements]), RangeError, message);
  assertEquals(gpu.bytes, before);
});

gpuTest("Gpu.tensor() is filled with zeros, or with data", async (gpu) => {
  using zeros = gpu.tensor("zeros", [5]);
  assertEquals(await gpu.read(zeros), new ArrayBuffer(20));
  const data = Float16Array.of(1, 2, 3, 4, 5, 6);
  using halves = gpu.tensor("halves", [2, 3], { dtype: "f16", data });
  assertEquals(new Float16Array(await gpu.read(halves)), data);
});

gpuTest("Gpu.write() overwrites from an offset on, in order with submissions", async (gpu) => {
  using x = upload(gpu, [4], [0, 0, 0, 0]);
  using y = upload(gpu, [4], [1, 2, 3, 4]);
  const double = gpu.pass();
  recordAffine(double, { x, y, factor: 2 });
  double.submit();
  // Only a part of a larger array: what lies around it stays at home.
  gpu.write(y, Float32Array.of(98, 50, 60, 99).subarray(1, 3), 4);
  const triple = gpu.pass();
  recordAffine(triple, { x, y, factor: 3 });
  triple.submit();
  assertEquals([...new Float32Array(await gpu.read(y))], [6, 150, 180, 24]);
});

gpuTest("Gpu.write() sends more than one chunk of 16 MiB", async (gpu) => {
  const data = new Uint32Array((33 << 20) / 4).map((_, i) => i);
  using tensor = gpu.tensor("long", [data.length], { dtype: "u32", data });
  const read = new Uint32Array(await gpu.read(tensor));
  assertEquals(read.findIndex((value, i) => value !== i), -1);
});

gpuTest("Gpu.write() does not keep what was written until the next submission", (gpu) => {
  const piece = new Uint32Array(1 << 20);
  using tensor = gpu.tensor("written over", [piece.length], { dtype: "u32", data: piece });
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < 128; i++) gpu.write(tensor, piece);
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 256 << 20, `${grown} bytes for 512 MiB`);
});

gpuTest("expectShape() throws when a shape differs", (gpu) => {
  using tensor = gpu.tensor("x", [2, 3]);
  expectShape(tensor, [2, 3]);
  for (const shape of [[3, 2], [2], [2, 3, 1], [6]]) {
    const message = `Cannot use tensor "x": its shape is [2,3], expected [${shape}]`;
    assertThrows(() => expectShape(tensor, shape), TypeError, message);
  }
});

gpuTest("Gpu.open() raises the limits that kernels need", (gpu) => {
  // A projection that rotates and stores binds thirteen with int8 weights; the default is eight.
  assertEquals(gpu.limits.maxStorageBuffersPerShaderStage >= 13, true);
  assertEquals(gpu.limits.maxStorageBufferBindingSize >= 128 << 20, true);
});

// Faults stay with their device, so these tests open their own.

Deno.test("Gpu.read() and check() name the kernel that does not compile", async () => {
  using gpu = await Gpu.open();
  using y = gpu.tensor("y", [4]);
  recordBroken(gpu, y).submit();
  const error = await assertRejects(() => gpu.read(y), GpuError, "'broken'");
  assertStringIncludes(error.message, "nonsense");
  assertThrows(() => gpu.check(), GpuError, "'broken'");
});

Deno.test("Gpu.check() reports a dispatch that the device refuses", async () => {
  using gpu = await Gpu.open();
  using y = gpu.tensor("y", [4]);
  gpu.check();
  const pass = gpu.pass();
  // The same buffer, read and written.
  recordAffine(pass, { x: y, y, factor: 1 });
  pass.submit();
  await assertRejects(() => gpu.read(y), GpuError);
  assertThrows(() => gpu.check(), GpuError);
});

Deno.test("a Gpu throws once it is disposed of", async () => {
  const gpu = await Gpu.open();
  const y = gpu.tensor("y", [4]);
  gpu[Symbol.dispose]();
  await assertRejects(() => gpu.read(y), GpuError);
  const error = await gpu.lost;
  assertEquals(error instanceof GpuError, true);
  assertThrows(() => gpu.check(), GpuError, "Device lost");
  await assertRejects(() => gpu.read(y), GpuError, "Device lost");
});
