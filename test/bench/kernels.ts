import { Gpu } from "../../src/gpu/mod.ts";
import { AttentionBench } from "./attention.ts";
import { median } from "./cpu.ts";
import type { Figure, Figures, Goal } from "./figures.ts";
import { deviceUnit, interleave, type Job, PassJobs, ratio } from "./measure.ts";
import { Probes } from "./probes.ts";
import { Product, type ProductShape } from "./product.ts";

interface Measured extends ProductShape {
  /** Share of the peak that it must reach, %. */
  readonly goal?: Goal;
}

const HUB = { inputs: 768, outputs: 2304 };
/** Its weights are nearly all that it moves. */
const STREAM: Measured = { format: "f16", rows: 1, ...HUB };
const PRODUCTS: readonly Measured[] = [
  STREAM,
  { format: "f16", rows: 4, ...HUB },
  { format: "f16", rows: 8, ...HUB },
  { format: "f16", rows: 16, ...HUB, goal: { atLeast: 25 } },
  { format: "f16", rows: 64, ...HUB },
  { format: "f16", rows: 16, ...HUB, isPortable: true, goal: { atLeast: 14 } },
  { format: "f32", rows: 16, ...HUB, goal: { atLeast: 18 } },
  { format: "int8", rows: 16, ...HUB, goal: { atLeast: 20 } },
  { format: "int4", rows: 1, ...HUB },
  { format: "int4", rows: 4, ...HUB, goal: { atLeast: 20 } },
  { format: "int4", rows: 16, ...HUB },
  // As the shipped model has them.
  { format: "f16", rows: 1, inputs: 256, outputs: 4096 },
  { format: "f16", rows: 8, inputs: 256, outputs: 768 },
  { format: "f16", rows: 8, inputs: 1024, outputs: 256 },
  { format: "f16", rows: 64, inputs: 256, outputs: 768 },
];

/** Matrix products and attention as the network uses them, against probes of the device. */
export async function benchKernels(): Promise<Figures> {
  using gpu = await Gpu.open();
  using passes = await PassJobs.open(gpu);
  using probes = new Probes(gpu);
  using block = new AttentionBench(gpu, 16);
  using half = new AttentionBench(gpu, 8);
  using all = new DisposableStack();
  // Without subgroups in the first place, nothing is left to take away.
  const hasSubgroups = gpu.deviceClass === "cpu with subgroups";
  const shapes = PRODUCTS.filter(({ isPortable }) => !isPortable || hasSubgroups);
  const products = shapes.map((shape) => ({ shape, product: all.use(new Product(gpu, shape)) }));
  const jobs: Record<string, Job> = {
    peak: passes.job((pass) => probes.peak(pass)),
    copy: passes.job((pass) => probes.copy(pass)),
    [block.name]: passes.job((pass) => block.record(pass)),
    [half.name]: passes.job((pass) => half.record(pass)),
  };
  for (const { product } of products) jobs[product.name] = passes.job(product.record, product.gpu);
  const seconds = await interleave(gpu, jobs);
  const perSecond = (name: string, amount: number, unit: string): Figure => ({
    value: amount / median(seconds[name]!) / 1e9, // Names of the jobs above, here and below.
    unit: deviceUnit(gpu, unit),
  });
  const ofPeak = (name: string, flops: number, goal?: Goal): Figure => ({
    value: 100 * ratio(seconds.peak!, seconds[name]!) * flops / probes.peakFlops,
    unit: "%",
    ...(goal && { goal }),
  });
  const figures: Figures = {
    "multiply-add peak": perSecond("peak", probes.peakFlops, "GFLOP/s"),
    "copy rate": perSecond("copy", probes.copyTraffic, "GB/s"),
  };
  for (const { shape, product: { name, flops } } of products) {
    figures[name] = perSecond(name, flops, "GFLOP/s");
    figures[`${name} / multiply-add peak`] = ofPeak(name, flops, shape.goal);
  }
  const stream = products.find(({ shape }) => shape === STREAM)!.product; // It is one of them.
  figures[`${stream.name}: weight stream`] = perSecond(stream.name, stream.weightBytes, "GB/s");
  figures[`${stream.name}: weight stream / copy rate`] = {
    value: ratio(seconds.copy!, seconds[stream.name]!) * stream.weightBytes / probes.copyTraffic,
    unit: "times",
    goal: { atLeast: 1.1 },
  };
  figures[block.name] = perSecond(block.name, block.flops, "GFLOP/s");
  figures[`${block.name} / peak`] = ofPeak(block.name, block.flops, { atLeast: 20 });
  figures[half.name] = perSecond(half.name, half.flops, "GFLOP/s");
  figures[`${half.name} / peak`] = ofPeak(half.name, half.flops);
  return figures;
}
