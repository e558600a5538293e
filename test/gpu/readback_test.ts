import { assertEquals, assertRejects } from "@std/assert";
import { Gpu, GpuError, Readback } from "../../src/gpu/mod.ts";
import { gpuTest, upload } from "../support/gpu.ts";
import { recordAffine, recordBroken } from "./affine.ts";

gpuTest("Readback.read() gives what was submitted, again and again", async (gpu) => {
  const length = 4096;
  using ones = upload(gpu, [length], Array(length).fill(1));
  using y = gpu.tensor("y", [length]);
  using readback = await Readback.open(gpu, 4 * length);
  for (let round = 1; round <= 200; round++) {
    const pass = gpu.pass();
    recordAffine(pass, { x: ones, y, factor: 1 });
    pass.submit([{ from: y, to: readback.buffer, bytes: 4 * length }]);
    const values = new Float32Array(await readback.read(4 * length));
    assertEquals(values.findIndex((value) => value !== round), -1, `round ${round}`);
  }
});

gpuTest("Readback.read() gives as many bytes as are asked for", async (gpu) => {
  using y = upload(gpu, [10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  using readback = await Readback.open(gpu, 40);
  for (const bytes of [40, 4, 36, 16]) {
    gpu.pass().submit([{ from: y, to: readback.buffer, bytes }]);
    const values = new Float32Array(await readback.read(bytes));
    assertEquals([...values], Array.from({ length: bytes / 4 }, (_, i) => i));
  }
});

gpuTest("Readback.read() reads one submission while the next one waits", async (gpu) => {
  using ones = upload(gpu, [1], [1]);
  using y = upload(gpu, [1], [0]);
  using even = await Readback.open(gpu, 4);
  using odd = await Readback.open(gpu, 4);
  const submit = (to: Readback) => {
    const pass = gpu.pass();
    recordAffine(pass, { x: ones, y, factor: 1 });
    pass.submit([{ from: y, to: to.buffer, bytes: 4 }]);
  };
  submit(even);
  for (let round = 1; round <= 20; round++) {
    const [before, next] = round % 2 === 1 ? [even, odd] : [odd, even];
    submit(next);
    assertEquals(new Float32Array(await before.read(4))[0], round);
  }
});

// Faults stay with their device, so these tests open their own.

Deno.test("Readback.read() reports a kernel that does not compile at once", async () => {
  using gpu = await Gpu.open();
  using y = gpu.tensor("y", [4]);
  using readback = await Readback.open(gpu, 16);
  recordBroken(gpu, y).submit([{ from: y, to: readback.buffer, bytes: 16 }]);
  await assertRejects(() => readback.read(16), GpuError, "'broken'");
});

Deno.test("Readback.read() throws once the device is disposed of", async () => {
  const gpu = await Gpu.open();
  using readback = await Readback.open(gpu, 16);
  gpu[Symbol.dispose]();
  await assertRejects(() => readback.read(16), GpuError, "Device lost");
});
