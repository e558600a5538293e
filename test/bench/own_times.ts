/** Prints, as JSON, how long a step and forwards of the shipped model take; see peers.ts. */
import { Gpu } from "../../src/gpu/mod.ts";
import { timeForwards } from "./forward.ts";
import { timeShippedStep } from "./step.ts";

using gpu = await Gpu.open();
const step = await timeShippedStep(gpu);
const forwards = [...await timeForwards(gpu, "f32"), ...await timeForwards(gpu, "f16")];
console.log(JSON.stringify({ step, forwards }));
Deno.exit(0);
