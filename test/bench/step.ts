import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { benchPositions, benchSubmissions } from "./blocks.ts";
import { runScript } from "./child.ts";
import { median } from "./cpu.ts";
import type { Figures, Goal } from "./figures.ts";
import { timeForwards } from "./forward.ts";
import { deviceUnit, interleave, PassJobs, ratio } from "./measure.ts";
import { HUB_CONFIG, withRandomModel } from "./random_model.ts";
import { ROWS, StepBench, type StepOptions } from "./step_bench.ts";

/** How a model's step is measured. */
type StepModel = Omit<StepOptions, "directory">;

const SHIPPED_STEP: StepModel = { keys: 256, slots: 4 };
/** A step of it fills a submission by itself. */
const HUB_STEP: StepModel = { keys: 512, slots: 1 };

const SAMPLER_GOAL = { atMost: 4 };
const NUCLEUS_GOAL = { atMost: 12 };

/** How long a step takes, by the name that the figures of others have. */
export interface StepTime {
  readonly name: string;
  readonly ms: number;
}

/** Times a step of the shipped model. */
export function timeShippedStep(gpu: Gpu): Promise<StepTime> {
  return timeStep(gpu, { directory: SHIPPED_MODEL.directory, ...SHIPPED_STEP });
}

/** Times a step of a model as large as those of the hub. */
export function timeHubStep(gpu: Gpu): Promise<StepTime> {
  return withRandomModel(HUB_CONFIG, (directory) => timeStep(gpu, { directory, ...HUB_STEP }));
}

async function timeStep(gpu: Gpu, options: StepOptions): Promise<StepTime> {
  using bench = await StepBench.open(gpu, options);
  const { step } = await interleave(gpu, { step: bench.step });
  return { name: stepName(bench), ms: 1000 * median(step) };
}

/** Whole denoising steps as the product records them, and what they are made of. */
export async function benchStep(): Promise<Figures> {
  using gpu = await Gpu.open();
  const shipped = { directory: SHIPPED_MODEL.directory, ...SHIPPED_STEP };
  return {
    ...await measureStep(gpu, shipped, { atMost: 1.8 }),
    ...await withRandomModel(
      HUB_CONFIG,
      (directory) => measureStep(gpu, { directory, ...HUB_STEP }, { atMost: 1.25 }),
    ),
    ...await benchForwards(gpu),
    ...await benchSubmissions(),
    ...await benchPositions(),
    "growth of the host's memory over 40,000 submissions": {
      // The script's only output.
      value: (await runScript("memory_growth.ts") as number) / 1e6,
      unit: "MB",
      goal: { atMost: 30 },
    },
  };
}

/** Forwards of the shipped model, in both of the formats that others are compared in. */
async function benchForwards(gpu: Gpu): Promise<Figures> {
  const all = [await timeForwards(gpu, "f16"), await timeForwards(gpu, "f32")].flat();
  return Object.fromEntries(
    all.map(({ name, ms }) => [name, { value: ms, unit: deviceUnit(gpu, "ms") }]),
  );
}

/** Name of the step of a model, as the figures of others have it. */
function stepName({ network: { config } }: StepBench): string {
  return `step ${config.layers}x${config.hiddenSize} V=${config.vocabSize}, ${ROWS} rows`;
}

async function measureStep(gpu: Gpu, options: StepOptions, productsGoal: Goal): Promise<Figures> {
  using passes = await PassJobs.open(gpu);
  using bench = await StepBench.open(gpu, options);
  const seconds = await interleave(gpu, {
    step: bench.step,
    products: passes.job(bench.products()),
    sampler: passes.job(await bench.sampler(1)),
    nucleus: passes.job(await bench.sampler(0.9)),
  });
  const name = `f16 ${stepName(bench)}`;
  const ms = (times: readonly number[]) => ({
    value: 1000 * median(times),
    unit: deviceUnit(gpu, "ms"),
  });
  const { step, products, sampler, nucleus } = seconds;
  // The step was measured without filters: with them it takes as much longer as the sampler does.
  const nucleusStep = step.map((each, i) => each - sampler[i]! + nucleus[i]!);
  const { layers } = bench.network.config;
  return {
    [name]: ms(step),
    [`${name}: its products alone`]: ms(products),
    [`${name} / its products`]: {
      value: ratio(step, products),
      unit: "times",
      goal: productsGoal,
    },
    [`${name}: dispatches`]: {
      value: await bench.countDispatches(),
      unit: "dispatches",
      goal: { atMost: 7 * layers + 6 },
    },
    [`${name}: sampler alone`]: ms(sampler),
    [`${name}: sampler alone, nucleus 0.9`]: ms(nucleus),
    [`${name}: share of the sampler`]: {
      value: 100 * ratio(sampler, step),
      unit: "%",
      goal: SAMPLER_GOAL,
    },
    [`${name}: share of the sampler, nucleus 0.9`]: {
      value: 100 * ratio(nucleus, nucleusStep),
      unit: "%",
      goal: NUCLEUS_GOAL,
    },
  };
}
