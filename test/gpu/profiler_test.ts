import { assert, assertEquals, assertThrows } from "@std/assert";
import { type DispatchTime, Gpu, GpuError } from "../../src/gpu/mod.ts";
import { profilerFeatures } from "../../src/gpu/profiler.ts";
import { gpuTest, readFloats, upload } from "../support/gpu.ts";
import { recordAffine } from "./affine.ts";

/** Registers a test with a device of its own, which takes times. */
function profilerTest(name: string, run: (gpu: Gpu) => Promise<void>): void {
  Deno.test(name, async () => {
    using gpu = await Gpu.open({ isProfiled: true });
    await run(gpu);
    gpu.check();
  });
}

/** Begins and ends in their order, each at or after the one before. */
function assertRising(times: readonly DispatchTime[]): void {
  const stamps = times.flatMap(({ beginNs, endNs }) => [beginNs, endNs]);
  assert(stamps.every((each) => Number.isFinite(each)));
  assertEquals(stamps.findIndex((each, i) => i > 0 && each < stamps[i - 1]!), -1);
}

function totalNs(times: readonly DispatchTime[]): number {
  return times.reduce((sum, { beginNs, endNs }) => sum + endNs - beginNs, 0);
}

profilerTest("Profiler.take() has one time per dispatch, in order, by name", async (gpu) => {
  using x = upload(gpu, [65], Array(65).fill(1));
  using y = upload(gpu, [65], Array(65).fill(1));
  using z = upload(gpu, [1], [0]);
  const pass = gpu.pass();
  recordAffine(pass, { x, y, factor: 2 });
  recordAffine(pass, { x: y, y: z, factor: 3 });
  recordAffine(pass, { x, y, factor: 5 });
  pass.submit();
  const [times = [], ...others] = await gpu.profiler!.take();
  assertEquals(others, []);
  assertEquals(times.map(({ kernel }) => kernel), ["affine", "affine", "affine"]);
  assertEquals(times.map(({ workgroups }) => workgroups), [[2], [1], [2]]);
  assertEquals(times[0]!.beginNs, 0);
  assertRising(times);
  // What is computed stays the same: (1·2 + 1)·5 + 1, and 0·3 + 3.
  assertEquals(await readFloats(gpu, y), new Float32Array(65).fill(16));
  assertEquals([...await readFloats(gpu, z)], [3]);
});

profilerTest("Profiler.take() counts nanoseconds of kernels alone", async (gpu) => {
  const length = 1 << 21;
  using x = gpu.tensor("x", [length]);
  using y = gpu.tensor("y", [length]);
  const run = (count: number) => {
    const pass = gpu.pass();
    for (let i = 0; i < count; i++) recordAffine(pass, { x, y, factor: 1 });
    pass.submit();
    return gpu.profiler!.take();
  };
  await run(1); // A driver may compile at the first dispatch.
  const begin = performance.now();
  const [times = []] = await run(50);
  const wallNs = 1e6 * (performance.now() - begin);
  assertRising(times);
  const share = totalNs(times) / wallNs;
  // The rest of the wall time are the host's 50 dispatches and one read, which sleeps 10 ms. A
  // clock of another unit would be off by 10 and more.
  assert(share > 0.02 && share <= 1, `kernels take ${share} of the wall time`);
});

profilerTest("Profiler.take() has more dispatches than one query set holds", async (gpu) => {
  // Two full sets of 2,048 dispatches, and one more.
  for (const count of [2047, 2048, 2049, 4097]) {
    using x = upload(gpu, [1], [1]);
    using y = upload(gpu, [1], [0]);
    const pass = gpu.pass();
    for (let i = 0; i < count; i++) recordAffine(pass, { x, y, factor: 1 });
    pass.submit();
    const [times = []] = await gpu.profiler!.take();
    assertEquals(times.length, count);
    assertRising(times);
    assertEquals([...await readFloats(gpu, y)], [count]);
  }
});

profilerTest("Profiler.take() keeps submissions apart that wait together", async (gpu) => {
  using x = upload(gpu, [300], Array(300).fill(0));
  using y = upload(gpu, [300], Array(300).fill(1));
  using z = upload(gpu, [1], [0]);
  const encode = (count: number, long: boolean) => {
    const pass = gpu.pass();
    for (let i = 0; i < count; i++) recordAffine(pass, { x, y: long ? y : z, factor: 1 });
    return pass.encode();
  };
  const first = encode(3, true);
  encode(7, true); // Encoded, and never submitted.
  const second = encode(2, false);
  const none = encode(0, false);
  first();
  none();
  second();
  const times = await gpu.profiler!.take();
  assertEquals(times.map((each) => each.map(({ workgroups: [x] }) => x)), [[5, 5, 5], [1, 1]]);
  assertRising(times.flat());
  const third = encode(1, true);
  third();
  const [[later] = []] = await gpu.profiler!.take();
  assert(later!.beginNs >= times[1]![1]!.endNs, "another origin, or another order");
  assertEquals(await gpu.profiler!.take(), []);
});

gpuTest("Gpu.open() has no profiler, and no feature for one, unless asked", (gpu) => {
  assertEquals(gpu.profiler, null);
  assertEquals(gpu.device.features.has("timestamp-query"), false);
});

Deno.test("Gpu.open() keeps the subgroups of a device that is profiled", async () => {
  using plain = await Gpu.open();
  using profiled = await Gpu.open({ isProfiled: true });
  assertEquals(profiled.subgroupSize, plain.subgroupSize);
  assertEquals(profiled.limits.maxBufferSize, plain.limits.maxBufferSize);
});

Deno.test("profilerFeatures() says what the adapter has and what it lacks", () => {
  // A fake: no adapter here lacks the feature. The fields in use are there.
  const adapter = (features: string[]) =>
    ({
      features: new Set(features),
      info: { description: "Toy GPU" },
    }) as unknown as GPUAdapter;
  assertEquals(profilerFeatures(adapter(["shader-f16", "timestamp-query"])), ["timestamp-query"]);
  assertThrows(
    () => profilerFeatures(adapter(["shader-f16", "subgroups"])),
    GpuError,
    'Cannot profile: Toy GPU has the features [shader-f16,subgroups], expected "timestamp-query"',
  );
});
