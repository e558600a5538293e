import { linear } from "../../kernels/mod.ts";
import { Gpu, Pass } from "../../src/gpu/mod.ts";
import { uploadLinear, type WeightFormat } from "../../src/weights/formats.ts";
import { noise } from "../support/noise.ts";
import { cpuSeconds, median } from "./cpu.ts";
import type { Figures } from "./mod.ts";

const SHAPES = [
  { rows: 1, inputs: 256, outputs: 4096 },
  { rows: 8, inputs: 256, outputs: 768 },
  { rows: 8, inputs: 1024, outputs: 256 },
  { rows: 16, inputs: 768, outputs: 2304 },
] as const;

/** Matrix products as the network uses them; the subgroup variant against the portable one. */
export async function benchKernels(): Promise<Figures> {
  using gpu = await Gpu.open();
  const figures: Figures = {};
  for (const format of ["f16", "f32"] as const) {
    for (const shape of SHAPES) {
      const name = `linear ${format} ${shape.rows} x ${shape.inputs} -> ${shape.outputs}`;
      const chosen = await rate(gpu, format, shape);
      figures[name] = { value: chosen, unit: "GFLOP per core second" };
      if (gpu.subgroupSize !== 8 || shape.rows === 1) continue;
      const portable = await rate(withoutSubgroups(gpu), format, shape);
      figures[`${name}, subgroups / portable`] = { value: chosen / portable, unit: "times" };
    }
  }
  return figures;
}

/** The same device with its subgroups out of sight. */
function withoutSubgroups(gpu: Gpu): Gpu {
  const blind: Gpu = new Proxy(gpu, {
    get: (target, key) => {
      if (key === "subgroupSize") return null;
      if (key === "pass") return () => new Pass(blind);
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return blind;
}

async function rate(
  gpu: Gpu,
  format: WeightFormat,
  { rows, inputs, outputs }: typeof SHAPES[number],
): Promise<number> {
  const source = {
    outputs,
    inputs,
    rows: (first: number, count: number) => noise(count * inputs, first + 1),
  };
  using weight = uploadLinear(gpu, source, { name: "bench", format });
  using x = gpu.tensor("x", [rows, inputs], { data: noise(rows * inputs) });
  using counts = gpu.tensor("counts", [2], { dtype: "u32", data: Uint32Array.of(rows, rows) });
  const flops = 2 * rows * inputs * outputs;
  const times = Math.ceil(2e8 / flops);
  const run = async (count: number) => {
    const pass = gpu.pass();
    for (let i = 0; i < count; i++) linear(pass, { x, weight, counts })[Symbol.dispose]();
    pass.submit();
    await gpu.read(counts);
  };
  await run(1);
  const rates: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = cpuSeconds();
    await run(times);
    rates.push(times * flops / 1e9 / (cpuSeconds() - before));
  }
  return median(rates);
}
