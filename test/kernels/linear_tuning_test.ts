import { assertEquals } from "@std/assert";
import { chooseLinear, keepCosts, variantsOf } from "../../kernels/linear_variants.ts";
import { tuneLinear } from "../../kernels/linear_tuning.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { gpuTest } from "../support/gpu.ts";

/** Heights of the tiles that 1 … 40 rows are given. */
function choices(gpu: Gpu): number[] {
  return Array.from({ length: 40 }, (_, i) => chooseLinear(gpu, i + 1).rows);
}

Deno.test("chooseLinear() goes by measured costs once there are any", async () => {
  // A device of its own: others must not know these costs.
  using gpu = await Gpu.open();
  const heights = variantsOf(gpu.deviceClass).map(({ rows }) => rows);
  for (const cheap of heights) {
    const costs = heights.map((rows) => [rows, rows === cheap ? 1 : 1000] as const);
    keepCosts(gpu.device, new Map(costs));
    assertEquals(new Set(choices(gpu)), new Set([cheap]), `tiles of ${cheap} rows cost least`);
  }
});

Deno.test("tuneLinear() measures every variant and goes by what it finds", async () => {
  using gpu = await Gpu.open();
  const heights = variantsOf(gpu.deviceClass).map(({ rows }) => rows);
  // A clock by which a submission takes as long as it has dispatches.
  let [time, dispatches] = [0, 0];
  const pass = gpu.pass.bind(gpu);
  gpu.pass = () => {
    const made = pass();
    const submit = made.submit.bind(made);
    made.submit = (copies) => {
      dispatches += made.dispatches;
      submit(copies);
    };
    return made;
  };
  const now = () => {
    time += dispatches;
    dispatches = 0;
    return time;
  };
  const told: number[][] = [];
  const onProgress = (...progress: number[]) => void told.push(progress);
  const costs = await tuneLinear(gpu, now, { onProgress });
  assertEquals([...costs!], heights.map((rows) => [rows, 1]));
  // One submission compiles a variant, six measure it.
  const submissions = 7 * heights.length;
  assertEquals(told, Array.from({ length: submissions }, (_, i) => [i + 1, submissions]));
  // Where all tiles cost the same, the least number of them is taken.
  assertEquals(chooseLinear(gpu, 40).rows, heights.at(-1));
});

Deno.test("tuneLinear() leaves the table alone where a clock shows no difference", async () => {
  using gpu = await Gpu.open();
  const before = choices(gpu);
  // By this clock every submission takes as long, whatever it holds.
  let time = 0;
  assertEquals(await tuneLinear(gpu, () => time++), null);
  assertEquals(choices(gpu), before);
});

gpuTest("tuneLinear() gives back all memory it takes for weights", async (gpu) => {
  const before = gpu.bytes;
  await tuneLinear(gpu, () => performance.now());
  assertEquals([gpu.bytes.weights, gpu.bytes.state], [before.weights, before.state]);
});
